"""Statistics against depth: how tree-like the prompts of a corpus are at every layer of a model.

Names load when first used (see ``__init__.pyi``).
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
