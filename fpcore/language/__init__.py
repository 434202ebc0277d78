"""What is said in which language: Japanese as it stands in the code, English from catalogues."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
