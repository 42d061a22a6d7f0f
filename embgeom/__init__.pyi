from .corpus import Corpus as Corpus
from .corpus import load_texts as load_texts
from .delta import Hyperbolicity as Hyperbolicity
from .delta import HyperbolicityDistribution as HyperbolicityDistribution
from .delta import hyperbolicity as hyperbolicity
from .delta import prompt_hyperbolicity as prompt_hyperbolicity
from .delta import vocabulary_hyperbolicity as vocabulary_hyperbolicity
from .embeddings import Embeddings as Embeddings
from .embeddings import load_embeddings as load_embeddings
from .errors import CorpusError as CorpusError
from .errors import DistanceWarning as DistanceWarning
from .errors import InputError as InputError
from .errors import ModelError as ModelError
from .errors import OptionError as OptionError
from .errors import PointsError as PointsError
from .metric import pairwise_distances as pairwise_distances

__version__: str
__all__: list[str]
