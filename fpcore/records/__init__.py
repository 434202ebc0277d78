"""The waist: what a run leaves behind, and how two records match. Reports read nothing else."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
