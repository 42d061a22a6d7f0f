"""HypLoRA, low-rank adaptation on the Lorentz model, as a method of Hugging Face PEFT.

Importing this package makes PEFT and transformers know the method ``HYPLORA``. Names load when first used (see
``__init__.pyi``).
"""

import importlib.util
import sys
from itertools import pairwise

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def _is_own_command() -> bool:
    """Return whether Python was started as ``python -m hyplora.…``."""
    return any(option == "-m" and name.startswith(f"{__name__}.") for option, name in pairwise(sys.orig_argv))


# The commands' `--help` must not wait for torch; they register the method when they use it. Where there is no PEFT,
# there is nothing to register with, and the first use of a name says that it is missing.
if importlib.util.find_spec("peft") is not None and not _is_own_command():
    importlib.import_module("hyplora.model")
