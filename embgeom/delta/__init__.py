"""Gromov's δ: exact, with a fixed base point, or sampled; of one cloud, of prompts, of a vocabulary.

Names load when first used (see ``__init__.pyi``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
