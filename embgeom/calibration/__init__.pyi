from .calibrate import calibrate_prompts as calibrate_prompts
from .calibrate import calibrate_vocabulary as calibrate_vocabulary
from .checks import VOCABULARY_NULLS as VOCABULARY_NULLS
from .checks import check_calibration as check_calibration
from .records import Calibration as Calibration
from .records import NullComparison as NullComparison
from .records import StatisticCalibration as StatisticCalibration
from .records import Verdict as Verdict
from .unused import unused_tokens as unused_tokens
from .verdict import holm as holm

__all__: list[str]
