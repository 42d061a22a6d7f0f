from .batch import CloudValues as CloudValues
from .batch import measure_clouds as measure_clouds
from .clouds import prompt_tree_likeness as prompt_tree_likeness
from .clouds import vocabulary_tree_likeness as vocabulary_tree_likeness
from .estimate import METHODS as METHODS
from .estimate import tree_likeness as tree_likeness
from .records import STATISTICS as STATISTICS
from .records import Estimate as Estimate
from .records import Spread as Spread
from .records import TokenFit as TokenFit
from .records import TreeLikeness as TreeLikeness
from .records import TreeLikenessDistribution as TreeLikenessDistribution

__all__: list[str]
