"""The cloud of tokens: frequency against embedding norm, a point each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from embgeom.errors import CountsError
from embgeom.plots.common import COLOURS, legend_above, new_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from embgeom.counts import TokenCounts
    from embgeom.norms.measure import TokenNorms

__all__ = ["check_one_tokenizer", "frequency_norm_scatter"]

_NEVER = 0.4  # where tokens stand that have no frequency: a logarithmic axis has no 0


@styled
def frequency_norm_scatter(norms: TokenNorms, counts: TokenCounts, *, axes: Axes | None = None) -> Axes:
    """Draw the embedding norm of every token against its frequency; on the left, those that the texts do not have.

    :func:`interactive_norms` is the same as a page in which each point says what it is.

    Parameters
    ----------
    norms : TokenNorms
        Of :func:`embgeom.token_norms`.
    counts : TokenCounts
        Of :func:`embgeom.token_counts` with the same tokenizer. Special tokens that were not counted are left out.
    axes : matplotlib Axes, optional
        By default those of a new figure.

    Raises
    ------
    CountsError
        If the counts are those of another tokenizer.
    """
    check_one_tokenizer(norms, counts)
    if axes is None:
        axes = new_axes(height=2.7)
    frequency = counts.as_dict()
    uncounted = set() if counts.special_tokens else set(counts.special_token_ids)
    tokens = [pair for pair in zip(norms.token_ids, norms.norms, strict=True) if pair[0] not in uncounted]
    seen = [(frequency[token], norm) for token, norm in tokens if token in frequency]
    never = [(_NEVER, norm) for token, norm in tokens if token not in frequency]
    axes.set_xscale("log")
    for points, colour, said in ((seen, COLOURS[0], "token types in the texts"), (never, COLOURS[1], "not")):
        if points:
            label = f"{len(points)} {said}"
            axes.plot(
                *zip(*points, strict=True), ".", color=colour, markersize=3, alpha=0.4, label=label, rasterized=True
            )
    most = max([10, *(times for times, _ in seen)])
    axes.set_xlim(_NEVER / 1.5 if never else 0.8, 1.4 * most)
    decades = range(int(math.log10(most)) + 1)
    axes.set_xticks(
        [_NEVER] * bool(never) + [10**n for n in decades], ["0"] * bool(never) + [_power(n) for n in decades]
    )
    axes.minorticks_off()
    axes.set_xlabel("frequency (occurrences)")
    axes.set_ylabel("embedding norm ‖e‖")
    legend_above(axes, columns=2)
    return axes


def _power(exponent: int) -> str:
    return rf"$\mathdefault{{10^{{{exponent}}}}}$"  # as matplotlib writes it


def check_one_tokenizer(norms: TokenNorms, counts: TokenCounts) -> None:
    """Raise :class:`CountsError` if norms and counts are those of different tokenizers."""
    if counts.vocabulary_size != norms.vocabulary_size:
        raise CountsError(
            f"the counts are those of a tokenizer with {counts.vocabulary_size} tokens, that of the embeddings has "
            f"{norms.vocabulary_size}; count with the model's own"
        )
