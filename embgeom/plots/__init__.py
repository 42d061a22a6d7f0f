"""One function per figure: it takes results, draws on an Axes, and returns it."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
