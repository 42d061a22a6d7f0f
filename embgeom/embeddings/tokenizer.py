"""A model's tokenizer, without the model."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

from embgeom.embeddings.messages import quote
from embgeom.embeddings.source import HubRepository, Source, find_source
from embgeom.errors import ModelError

__all__ = ["load_tokenizer", "tokenizer_of"]

_FILES = ("tokenizer_config.json", "tokenizer.json")


def load_tokenizer(model: str | PathLike[str], *, revision: str | None = None) -> Any:
    """Load a model's tokenizer, and nothing of its weights.

    Parameters
    ----------
    model : str or os.PathLike
        ``demo``, a Hub id, or a local folder, which need hold no more than the files of the tokenizer.
    revision : str, optional
        Branch, tag or commit of a Hub id.

    Returns
    -------
    transformers.PreTrainedTokenizerBase
        Fast where there is a fast one; its ``name_or_path`` is ``model``.

    Raises
    ------
    ModelError
        If the model cannot be found, or has no tokenizer that can be loaded.
    OptionError
        If a revision is asked for of what is not on the Hub.

    Examples
    --------
    >>> load_tokenizer("demo")("to be")["input_ids"]
    [1, 994, 336]
    """
    return tokenizer_of(find_source(fspath(model), revision=revision))


def tokenizer_of(source: Source) -> Any:
    """Return the tokenizer of a model whose place is known; raise :class:`ModelError` if it has none."""
    from transformers import AutoTokenizer

    try:
        place, online = _place(source), isinstance(source, HubRepository) and source.online
        tokenizer = AutoTokenizer.from_pretrained(
            place, revision=source.revision, local_files_only=not online, trust_remote_code=False
        )
    except ModelError:
        raise
    except Exception as error:  # transformers raises whatever its many tokenizers raise
        raise _refusal(source, quote(error)) from None
    # Without its files transformers may hand out one that knows next to nothing and makes every word unknown.
    if len(tokenizer) - len(tokenizer.all_special_tokens) < 2:
        raise _refusal(source, "only special tokens are known")
    tokenizer.name_or_path = source.model
    return tokenizer


def _place(source: Source) -> str:
    """Return what transformers is to load from: the Hub id, or the folder that holds the files."""
    # Each is asked for: at once where the Hub no longer answers, by AutoTokenizer only after minutes.
    found = [path for path in map(source.find, ("config.json", *_FILES)) if path is not None]
    if isinstance(source, HubRepository) and source.online:
        return source.model
    if not found:
        raise source.lacks(" or ".join(_FILES[::-1]))
    return str(found[0].parent)


def _refusal(source: Source, reason: str) -> ModelError:
    return ModelError(
        f"model {source.model!r}: its tokenizer cannot be loaded; has it a tokenizer.json or the like? ({reason})"
    )
