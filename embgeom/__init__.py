"""What shape an LLM's embedding space has, measured.

``hyperbolicity`` measures one cloud, ``prompt_hyperbolicity`` and ``vocabulary_hyperbolicity`` a model.
Names load when first used (see ``__init__.pyi``), so that a command's ``--help`` need not wait for torch.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
