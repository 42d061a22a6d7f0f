from .digits import digit_norms as digit_norms
from .general import general_specific as general_specific
from .groups import PAPER_GROUPS as PAPER_GROUPS
from .groups import group_statistics as group_statistics
from .groups import read_groups as read_groups
from .pairs import hypernym_pairs as hypernym_pairs
from .records import DigitNorms as DigitNorms
from .records import GroupStatistics as GroupStatistics
from .records import MatchedControl as MatchedControl
from .records import PairTest as PairTest
from .records import Trend as Trend
from .summary import Hierarchy as Hierarchy

__all__: list[str]
