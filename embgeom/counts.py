"""How often each token occurs in texts: one pass, in bounded memory, through the model's own tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import length_hint
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embgeom.checks import require_tokenizer, require_whole, shown
from embgeom.corpus import Corpus, TextStream
from embgeom.errors import CorpusError, CountsError, ModelError, OptionError, first_line
from embgeom.progress import progress_bar
from embgeom.results import Record, versions

if TYPE_CHECKING:
    Encode = Callable[[list[str]], Iterable[list[int]]]

__all__ = ["TokenCounts", "require_counts", "token_counts"]

# A batch ends with the text that makes it this long: what the tokenizer says of a batch takes some hundred bytes per
# token, so this, not the size of the corpus, is what bounds the memory.
_BATCH_CHARACTERS = 1_000_000

# On the first texts, cut to this many characters, the short way to token ids must agree with the tokenizer's own.
_TRIAL_TEXTS, _TRIAL_CHARACTERS = 32, 2_000


@dataclass(frozen=True)
class TokenCounts(Record):
    """How often each token type occurs in a corpus.

    Attributes
    ----------
    token_ids : tuple of int
        The ids that occur, ascending.
    frequencies : tuple of int
        How often each of them occurs, in the same order; all at least 1.
    texts : int
        The texts that were counted; blank ones are left out.
    vocabulary_size : int
        ``len(tokenizer)``: the ids from 0 up to it that are not in ``token_ids`` were never seen.
    special_tokens : bool
        Whether the special tokens that the tokenizer adds to each text (BOS, …) were counted.
    special_token_ids : tuple of int
        All ids that the tokenizer calls special, ascending, whether they occur or not.
    tokenizer, data : str or None
        What the tokenizer was loaded from, and the name of the corpus; None where bare objects were given.
    provenance : dict
        Source, field, split and revision of the texts, the class of the tokenizer, versions.
    """

    token_ids: tuple[int, ...] = field(repr=False)
    frequencies: tuple[int, ...] = field(repr=False)
    texts: int
    vocabulary_size: int
    special_tokens: bool
    special_token_ids: tuple[int, ...] = field(repr=False)
    tokenizer: str | None
    data: str | None
    provenance: dict[str, Any] = field(repr=False)

    @property
    def total(self) -> int:
        """The number of tokens."""
        return sum(self.frequencies)

    @property
    def types(self) -> int:
        """The number of token types, i.e. of different ids that occur."""
        return len(self.token_ids)

    def dense(self, size: int | None = None) -> NDArray[np.int64]:
        """Return the frequency of every id, 0 where it does not occur.

        Parameters
        ----------
        size : int, optional
            The length of the vector, such as the number of rows of an embedding matrix; by default
            ``vocabulary_size``.

        Returns
        -------
        ndarray of int64, shape (size,)

        Raises
        ------
        OptionError
            If an id that occurs has no place in ``size``.
        """
        size = self.vocabulary_size if size is None else size
        if self.token_ids and self.token_ids[-1] >= size:
            raise OptionError(f"token id {self.token_ids[-1]} occurs, which has no place among {size} ids from 0")
        counts = np.zeros(size, np.int64)
        counts[list(self.token_ids)] = self.frequencies
        return counts

    def as_dict(self) -> dict[int, int]:
        """Return token id → frequency, of the ids that occur."""
        return dict(zip(self.token_ids, self.frequencies, strict=True))


def require_counts(counts: Any) -> None:
    """Raise :class:`CountsError` unless these are counts of tokens."""
    if not isinstance(counts, TokenCounts):
        raise CountsError(f"expected TokenCounts, as token_counts returns them, got {shown(counts)}")


def token_counts(
    texts: Iterable[str] | Corpus | TextStream,
    tokenizer: Any,
    *,
    special_tokens: bool = True,
    batch_size: int = 1000,
    name: str | None = None,
    progress: bool = False,
) -> TokenCounts:
    """Count the tokens of texts.

    The texts are read once and in batches, none is kept, and none is cut off: memory is bounded by the batch (about
    a million characters) or by the longest single text, whichever is more, at some hundred bytes per character. A long
    text is not split, because of no place in it can it be known in general that the tokens would stay the same.

    Parameters
    ----------
    texts : iterable of str
        A corpus, a stream (:func:`embgeom.corpus.stream_texts`), or any other iterable of texts. Blank texts are left
        out, as :func:`embgeom.load_texts` does.
    tokenizer
        Of transformers, fast or slow.
    special_tokens : bool
        Whether to count the special tokens that the tokenizer adds to each text. *Hyperbolic Fine-Tuning for Large
        Language Models* (arXiv 2410.04010) counts them: BOS once per prompt. A special token that is written out in a
        text is one of its tokens, and counted in any case.
    batch_size : int
        At most so many texts at a time.
    name : str, optional
        What to call the tokenizer; by default what it was loaded from.
    progress : bool
        Whether to draw a bar on standard error.

    Raises
    ------
    CorpusError
        If there is no text, or no token in any, or something else than a text.
    ModelError
        If the tokenizer is none, fails, or gives an id that is not in its vocabulary.
    OptionError
        If ``batch_size`` is no whole number of at least 1.

    Examples
    --------
    >>> from embgeom.embeddings import load_tokenizer
    >>> counts = token_counts(["to be or not to be"], load_tokenizer("demo"))
    >>> sorted(counts.frequencies)
    [1, 1, 1, 1, 1, 2]
    """
    require_whole("batch_size", batch_size, 1)
    require_tokenizer(tokenizer)
    if isinstance(texts, str):
        raise CorpusError("expected an iterable of texts, got one text; put it in a list")
    if not isinstance(texts, Iterable):
        raise CorpusError(f"expected an iterable of texts, got {type(texts).__name__}")
    size = len(tokenizer)
    counts = np.zeros(size, np.int64)
    counted = 0
    encode: Encode | None = None
    data = getattr(texts, "name", None) if isinstance(texts, Corpus | TextStream) else None
    # Where the texts have no length, the bar only counts.
    with progress_bar(length_hint(texts), f"tokens of {data or 'texts'}", show=progress) as bar:
        for batch in _batches(texts, batch_size):
            try:
                encode = encode or _encoder(tokenizer, batch, special_tokens)
                ids = np.fromiter(chain.from_iterable(encode(batch)), np.int64)
            except Exception as error:  # tokenizers raise whatever they raise, mostly Exception itself
                _refuse_surrogates(batch, counted)
                raise ModelError(f"the tokenizer fails on the texts: {first_line(error)}") from error
            outside = ids[(ids < 0) | (ids >= size)]
            if outside.size:
                raise ModelError(f"the tokenizer gives the token id {outside[0]}, and has {size} tokens from 0")
            counts += np.bincount(ids, minlength=size)
            counted += len(batch)
            bar.update(len(batch))
    if not counted:
        raise CorpusError("there is no text to count the tokens of")
    token_ids = np.flatnonzero(counts)
    if not token_ids.size:
        raise CorpusError(f"the tokenizer finds no token in any of the {counted} texts")
    return TokenCounts(
        token_ids=tuple(token_ids.tolist()),
        frequencies=tuple(counts[token_ids].tolist()),
        texts=counted,
        vocabulary_size=size,
        special_tokens=special_tokens,
        special_token_ids=_special_token_ids(tokenizer),
        tokenizer=name or getattr(tokenizer, "name_or_path", "") or None,
        data=data,
        provenance=_provenance(texts, tokenizer),
    )


def _batches(texts: Iterable[str], batch_size: int) -> Iterator[list[str]]:
    """Yield the texts that are not blank, so many at a time, or fewer where they are long."""
    batch: list[str] = []
    characters = 0
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise CorpusError(f"text {number}: expected a text, got {type(text).__name__} {str(text)[:40]!r}")
        if not text or text.isspace():
            continue
        # A long text goes in a batch of its own, rather than on top of a full one.
        if batch and (len(batch) == batch_size or characters + len(text) > _BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch


def _encoder(tokenizer: Any, batch: list[str], special_tokens: bool) -> Encode:
    """Return a function from texts to the token ids of each.

    A fast tokenizer's backend does it in half the time of the tokenizer's own call, which some tokenizers extend (by
    segmenting words first, say): it is taken where both agree on the first texts.
    """

    def by_call(texts: list[str]) -> Iterable[list[int]]:
        options = {"return_attention_mask": False, "return_token_type_ids": False, "verbose": False}
        found = tokenizer(texts, add_special_tokens=special_tokens, truncation=False, padding=False, **options)
        ids: list[list[int]] = found["input_ids"]
        return ids

    def by_backend(texts: list[str]) -> Iterable[list[int]]:
        found = tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=special_tokens)
        return (encoding.ids for encoding in found)

    if not getattr(tokenizer, "is_fast", False):
        return by_call
    trial = [text[:_TRIAL_CHARACTERS] for text in batch[:_TRIAL_TEXTS]]
    # By call first: it switches off the truncation and padding that the backend may have been saved with.
    return by_backend if list(by_call(trial)) == list(by_backend(trial)) else by_call


def _refuse_surrogates(batch: list[str], before: int) -> None:
    for number, text in enumerate(batch, start=before):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            code = f"U+{ord(text[error.start]):04X}"
            raise CorpusError(f"text {number} has a lone surrogate ({code}) at character {error.start}") from None


def _special_token_ids(tokenizer: Any) -> tuple[int, ...]:
    added = getattr(tokenizer, "added_tokens_decoder", {}).items()
    return tuple(sorted({*tokenizer.all_special_ids, *(number for number, token in added if token.special)}))


def _provenance(texts: Iterable[str], tokenizer: Any) -> dict[str, Any]:
    known: dict[str, Any] = {"tokenizer_class": type(tokenizer).__name__, "versions": versions()}
    if isinstance(texts, Corpus | TextStream):
        known |= {name: getattr(texts, name) for name in ("source", "field", "split", "skipped")}
        known |= {"data_revision": texts.revision}
    return known
