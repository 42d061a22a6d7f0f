from .corpus import Corpus as Corpus
from .corpus import TextStream as TextStream
from .corpus import load_texts as load_texts
from .corpus import stream_texts as stream_texts
from .counts import TokenCounts as TokenCounts
from .counts import token_counts as token_counts
from .delta import Hyperbolicity as Hyperbolicity
from .delta import HyperbolicityDistribution as HyperbolicityDistribution
from .delta import hyperbolicity as hyperbolicity
from .delta import prompt_hyperbolicity as prompt_hyperbolicity
from .delta import vocabulary_hyperbolicity as vocabulary_hyperbolicity
from .embeddings import Embeddings as Embeddings
from .embeddings import load_embeddings as load_embeddings
from .embeddings import load_tokenizer as load_tokenizer
from .errors import CorpusError as CorpusError
from .errors import CountsError as CountsError
from .errors import DistanceWarning as DistanceWarning
from .errors import InputError as InputError
from .errors import ModelError as ModelError
from .errors import OptionError as OptionError
from .errors import PointsError as PointsError
from .frequency import PowerLawFit as PowerLawFit
from .frequency import fit_power_law as fit_power_law
from .hierarchy import digit_norms as digit_norms
from .hierarchy import general_specific as general_specific
from .hierarchy import group_statistics as group_statistics
from .metric import pairwise_distances as pairwise_distances
from .norms import NormAnalysis as NormAnalysis
from .norms import frequency_norms as frequency_norms
from .norms import token_norms as token_norms
from .trees import TreeFit as TreeFit
from .trees import fit_tree as fit_tree
from .trees import token_tree as token_tree

__version__: str
__all__: list[str]
