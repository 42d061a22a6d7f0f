"""Is it a tree, or only high dimension? Every statistic of tree-likeness beside what it is under matched nulls.

Names load when first used (see ``__init__.pyi``).
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
