"""Tokenizers of a few chosen words, and embeddings whose norms are what a test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from embgeom.counts import TokenCounts, token_counts
from embgeom.embeddings import Embeddings


def word_tokenizer(words: Sequence[str]) -> Any:
    """Each of ``words`` is one token, and so is "a"; everything else is unknown."""
    vocabulary = {word: number for number, word in enumerate(["[UNK]", "a", "(", *words])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("(", "isolated")]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")


def byte_tokenizer(merges: Sequence[tuple[str, str]], *, across_words: bool = False) -> Any:
    """Byte-level BPE with these merges and no others; ``across_words``: a token may span a space."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*letters, *(left + right for left, right in merges)])}
    backend = Tokenizer(models.BPE(vocabulary, list(merges)))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not across_words)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def embeddings_of(tokenizer: Any, norms: Mapping[str, float], *, scale: float = 1.0) -> Embeddings:
    """Embeddings in which the token that the vocabulary calls so has that norm, and all others norm 1."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(len(tokenizer), 5, generator=generator, dtype=torch.float64)
    matrix /= matrix.norm(dim=1, keepdim=True)
    for token, norm in norms.items():
        matrix[tokenizer.convert_tokens_to_ids(token)] *= norm
    embeddings = Embeddings(matrix * scale, "planted", "input", None, "none", "none", "float64", None)  # type: ignore[arg-type]
    embeddings.__dict__["tokenizer"] = tokenizer
    return embeddings


def counts_of(tokenizer: Any, frequencies: Mapping[str, int]) -> TokenCounts:
    """Counts of a corpus in which each word occurs that often."""
    return token_counts([" ".join([word] * count) for word, count in frequencies.items() if count], tokenizer)
