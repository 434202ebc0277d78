"""A two-phase fixed-point-context language model: trainers, metrics, records and reports.

The public names stand in `__init__.pyi`. Each is imported at its first use, so that whoever reads
records does not wait for torch, nor a process that only executes a notebook for pandas and SciPy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
