from .checks import METHODS as METHODS
from .clouds import prompt_hyperbolicity as prompt_hyperbolicity
from .clouds import vocabulary_hyperbolicity as vocabulary_hyperbolicity
from .estimate import hyperbolicity as hyperbolicity
from .records import Hyperbolicity as Hyperbolicity
from .records import HyperbolicityDistribution as HyperbolicityDistribution
from .records import QuadrupleSample as QuadrupleSample
from .records import Witness as Witness

__all__: list[str]
