"""Tree-likeness by trees: a tree metric near given distances, how far it is from them, and its place in a disc.

Names load when first used (see ``__init__.pyi``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
