from .clouds import branching_walk as branching_walk
from .clouds import branching_walk_points as branching_walk_points
from .clouds import gaussian as gaussian
from .clouds import poincare_disc as poincare_disc
from .clouds import sphere as sphere
from .graphs import barabasi_albert as barabasi_albert
from .graphs import cycle as cycle
from .graphs import erdos_renyi as erdos_renyi
from .graphs import grid as grid
from .graphs import random_tree as random_tree
from .ruler import SPACES as SPACES
from .ruler import SpaceMeasure as SpaceMeasure
from .ruler import measure_space as measure_space
from .ruler import measure_spaces as measure_spaces

__all__: list[str]
