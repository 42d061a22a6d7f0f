"""``python -m hyplora.harness …``: EleutherAI's lm-evaluation-harness, with HypLoRA among PEFT's methods.

All arguments go to ``lm_eval`` as they are: ``python -m hyplora.harness run --model hf --model_args
pretrained=BASE,peft=ADAPTER --tasks hellaswag``. Without the registration, PEFT could not read a HypLoRA adapter there.
"""

from __future__ import annotations

import sys

from embgeom import cli
from embgeom.errors import OptionError, first_line

__all__ = ["main"]


def main() -> None:
    """Register the method and hand over to ``lm_eval``; what it exits with is what this exits with.

    Raises
    ------
    OptionError
        The harness is not installed.
    """
    try:
        from lm_eval.__main__ import cli_evaluate
    except ModuleNotFoundError as error:
        missing = "it" if (error.name or "").partition(".")[0] == "lm_eval" else f"its part {error.name}"
        raise OptionError(
            f"this needs lm-evaluation-harness, and {missing} is not installed: pip install 'embgeom[eval]'"
        ) from None
    try:
        import hyplora.model  # noqa: F401  (PEFT gets to know the method)
    except ModuleNotFoundError as error:
        raise OptionError(f"HypLoRA needs PEFT ({first_line(error)}): pip install 'embgeom[train]'") from None
    sys.argv[0] = "lm_eval"  # the name in its own help and messages
    cli_evaluate()


if __name__ == "__main__":
    try:
        main()
    except OptionError as problem:
        cli.complain(str(problem))
        sys.exit(1)
