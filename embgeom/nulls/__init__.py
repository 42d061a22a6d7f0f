"""Matched null clouds: of the same size and dimension as a cloud, without what is to be shown.

Names load when first used (see ``__init__.pyi``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
