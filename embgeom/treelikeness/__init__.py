"""How tree-like a space is, by statistics over all its quadruples, where δ looks at the worst one alone.

Names load when first used (see ``__init__.pyi``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
