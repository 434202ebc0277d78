from .baseline import run_baseline
from .diagnosis import diagnose
from .experiment import run
from .jobs import Job
from .language_model import load_model
from .lessons import lesson
from .looks import look
from .notebook import execute
from .progress import Progress
from .searching import search

__all__ = [
    "Job",
    "Progress",
    "diagnose",
    "execute",
    "lesson",
    "load_model",
    "look",
    "run",
    "run_baseline",
    "search",
]
