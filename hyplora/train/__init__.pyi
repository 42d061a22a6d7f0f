from .contamination import ContaminationReport as ContaminationReport
from .contamination import check_contamination as check_contamination
from .options import METHODS as METHODS
from .options import AdapterOptions as AdapterOptions
from .options import DataOptions as DataOptions
from .options import ModelOptions as ModelOptions
from .options import RunOptions as RunOptions
from .options import TrainOptions as TrainOptions
from .records import read_training_records as read_training_records
from .run import train as train
from .settings import presets as presets
from .settings import resolve as resolve
from .summary import TrainingSummary as TrainingSummary

__all__: list[str]
