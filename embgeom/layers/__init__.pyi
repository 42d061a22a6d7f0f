from .measure import LAYER_NULLS as LAYER_NULLS
from .profile import layer_statistics as layer_statistics
from .records import LAYER_STATISTICS as LAYER_STATISTICS
from .records import LayerMeasure as LayerMeasure
from .records import LayerProfile as LayerProfile
from .records import LayerStatistic as LayerStatistic
from .records import NullBand as NullBand

__all__: list[str]
