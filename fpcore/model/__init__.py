"""The two blocks, the tied head and the number formats; `plain` is the oracle."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
