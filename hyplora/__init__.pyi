from . import gate as gate
from . import lorentz as lorentz
from .config import HypLoraConfig as HypLoraConfig
from .config import HypLoraError as HypLoraError
from .curvature import SuggestedCurvature as SuggestedCurvature
from .curvature import suggest_curvature as suggest_curvature
from .gate import hyperbolic_delta as hyperbolic_delta
from .instruments import gains as gains
from .layer import HypLoraLinear as HypLoraLinear
from .model import HypLoraModel as HypLoraModel

__all__: list[str]
