from .calibration import calibration_grid as calibration_grid
from .calibration import delta_plot_with_nulls as delta_plot_with_nulls
from .calibration import statistic_with_nulls as statistic_with_nulls
from .common import check_figure_path as check_figure_path
from .common import save_figure as save_figure
from .common import style as style
from .delta import relative_delta_histogram as relative_delta_histogram
from .delta_plot import q_histogram as q_histogram
from .frequency import frequency_distribution as frequency_distribution
from .frequency import frequency_grid as frequency_grid
from .hierarchy import general_against_specific as general_against_specific
from .hierarchy import group_norms as group_norms
from .hierarchy import hierarchy_grid as hierarchy_grid
from .hierarchy import norms_by_digits as norms_by_digits
from .interactive import interactive_hierarchy as interactive_hierarchy
from .interactive import interactive_norms as interactive_norms
from .interactive import interactive_tree as interactive_tree
from .layer_grid import layer_grid as layer_grid
from .layers import statistics_by_depth as statistics_by_depth
from .norms import mean_frequency_by_norm as mean_frequency_by_norm
from .norms import mean_norm_by_frequency as mean_norm_by_frequency
from .norms import norm_grid as norm_grid
from .report import sweep_overview as sweep_overview
from .spaces import space_ruler as space_ruler
from .trees import draw_poincare_disc as draw_poincare_disc
from .trees import draw_tree as draw_tree

__all__: list[str]
