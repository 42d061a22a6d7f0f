from .disc import poincare_layout as poincare_layout
from .fit import METHODS as METHODS
from .fit import fit_tree as fit_tree
from .records import TreeFit as TreeFit
from .structure import tree_distances as tree_distances
from .tokens import token_tree as token_tree

__all__: list[str]
