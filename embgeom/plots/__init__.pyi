from .common import check_figure_path as check_figure_path
from .common import save_figure as save_figure
from .delta import relative_delta_histogram as relative_delta_histogram

__all__: list[str]
