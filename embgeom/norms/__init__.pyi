from .analysis import frequency_norms as frequency_norms
from .export import norms_csv as norms_csv
from .measure import TokenNorms as TokenNorms
from .measure import token_norms as token_norms
from .records import ClassNorms as ClassNorms
from .records import FrequencyBin as FrequencyBin
from .records import NeverSeen as NeverSeen
from .records import NormAnalysis as NormAnalysis
from .records import NormBin as NormBin
from .records import RankCorrelation as RankCorrelation
from .records import TokenNorm as TokenNorm

__all__: list[str]
