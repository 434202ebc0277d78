"""Pure functions of arrays and tensors: metrics, laws, intervals, seeded draws."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
