"""Token frequencies as a discrete power law: fitted exactly, tested, and set beside the alternatives.

Names load when first used (see ``__init__.pyi``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
