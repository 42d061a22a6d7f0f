"""Rows of an embedding matrix whose tokens no text has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.embeddings import Embeddings
from embgeom.errors import ModelError
from embgeom.token_classes import token_texts

if TYPE_CHECKING:
    from embgeom.metric import Array

__all__ = ["unused_tokens"]

# Places kept for tokens to come: [unused7] (BERT), <unused7> (Gemma), <extra_id_7> (T5), <|reserved_special_token_7|>
# (Llama 3), <|dummy_7|> (Phi), <｜place▁holder▁no▁7｜> (DeepSeek).
_UNUSED = re.compile(
    r"\[unused_?\d+\]|<(unused|reserved|extra_id)_?\d+>"
    r"|<[|｜](reserved|unused|extra|dummy|place[ _▁]?holder)[^|｜]*\d[^|｜]*[|｜]>"
)


def unused_tokens(embeddings: Embeddings | Array) -> NDArray[np.int64]:
    """Return the ids of the tokens that no text has, as far as their names tell.

    These are rows without a token, which pad the matrix to a round number, and tokens that are kept for later, like
    BERT's 994 "[unused…]". Training has hardly moved them from where they started: they are a cluster that lowers the
    q of random subsets of the vocabulary. Of a bare matrix, or without a tokenizer, nothing is known, and none is
    returned.
    """
    if not isinstance(embeddings, Embeddings):
        return np.zeros(0, np.int64)
    try:
        tokenizer: Any = embeddings.tokenizer
    except ModelError:  # a vocabulary needs no tokenizer
        return np.zeros(0, np.int64)
    texts = token_texts(tokenizer, range(len(embeddings)))
    return np.array(
        [number for number, text in enumerate(texts) if text is None or _UNUSED.fullmatch(text)], dtype=np.int64
    )
