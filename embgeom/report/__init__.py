"""Sweeps over models, corpora and layers: one table, figures, and a page that opens without a network.

Names load when first used (see ``__init__.pyi``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
