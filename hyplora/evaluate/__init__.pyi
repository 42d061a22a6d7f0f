from .models import Loaded as Loaded
from .models import load_model as load_model
from .run import Settings as Settings
from .run import evaluate_task as evaluate_task
from .scores import Accuracy as Accuracy
from .scores import Evaluation as Evaluation
from .scores import Prediction as Prediction
from .scores import TaskScore as TaskScore
from .scores import accuracy as accuracy
from .scores import score_task as score_task
from .tasks import TASKS as TASKS
from .tasks import Question as Question
from .tasks import Task as Task
from .tasks import load_task as load_task

__all__: list[str]
