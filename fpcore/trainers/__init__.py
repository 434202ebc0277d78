"""What learns from tokens: phase 1, phase 2, n-grams and networks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
