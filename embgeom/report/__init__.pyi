from .options import SweepOptions as SweepOptions
from .options import read_sweep as read_sweep
from .records import REPORTED as REPORTED
from .records import Cell as Cell
from .records import CellResult as CellResult
from .records import Sweep as Sweep
from .running import sweep as sweep
from .table import NullRow as NullRow
from .table import Row as Row
from .table import StatisticRow as StatisticRow
from .table import rows_of as rows_of
from .writing import write_report as write_report

__all__: list[str]
