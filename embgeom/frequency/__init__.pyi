from .fit import fit_power_law as fit_power_law
from .records import Comparison as Comparison
from .records import GoodnessOfFit as GoodnessOfFit
from .records import PowerLawFit as PowerLawFit

__all__: list[str]
