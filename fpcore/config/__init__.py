"""What may be asked for: knobs, studies, baselines, notebook parameters, checked at the door."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
