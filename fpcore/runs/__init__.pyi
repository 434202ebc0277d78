from .baseline import run_baseline
from .diagnosis import diagnose
from .experiment import run
from .jobs import Job
from .lessons import lesson
from .notebook import execute
from .progress import Progress
from .searching import search

__all__ = [
    "Job",
    "Progress",
    "diagnose",
    "execute",
    "lesson",
    "run",
    "run_baseline",
    "search",
]
