from .options import CompareOptions as CompareOptions
from .options import Contender as Contender
from .paired import PairedTest as PairedTest
from .paired import holm as holm
from .paired import paired_test as paired_test
from .records import CellResult as CellResult
from .records import Comparison as Comparison
from .records import ContenderResult as ContenderResult
from .running import compare as compare

__all__: list[str]
