"""The report of a study: its tables, its answer by rule, and the whole report."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
