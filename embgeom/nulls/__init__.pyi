from .drawing import draw as draw
from .drawing import draw_clouds as draw_clouds
from .models import NULLS as NULLS
from .models import directions as directions
from .models import gaussian as gaussian
from .models import permute as permute
from .models import spectrum as spectrum
from .models import vocabulary as vocabulary
from .source import Vocabulary as Vocabulary

__all__: list[str]
