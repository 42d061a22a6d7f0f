"""Scatters in which a point says what it is when it is pointed at: pages of HTML that need no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from embgeom.errors import OptionError
from embgeom.plots.chart_page import Axis, Chart, chart_page
from embgeom.plots.common import COLOURS, model_name
from embgeom.plots.norm_scatter import check_one_tokenizer
from embgeom.token_classes import CLASSES, readable_tokens

if TYPE_CHECKING:
    from embgeom.counts import TokenCounts
    from embgeom.hierarchy.records import GroupStatistics, PairTest
    from embgeom.hierarchy.summary import Hierarchy
    from embgeom.norms.measure import TokenNorms
    from embgeom.trees.records import TreeFit

__all__ = ["interactive_hierarchy", "interactive_norms", "interactive_tree"]

# Okabe and Ito's seven, and two for the classes that are left.
_CLASS_COLOURS = dict(zip(CLASSES, (*COLOURS, "#8A5FBF", "#888888"), strict=True))
_FREQUENCY = Axis("frequency (occurrences)", log=True, zero="0")
_NORM = "norm ‖e‖"


def interactive_norms(measured: Iterable[tuple[TokenNorms, TokenCounts]]) -> str:
    """Return a page with the norm of every token against its frequency, a point per token, a figure per pair.

    To point at a point, by mouse, finger or keyboard, shows the text that its token stands for (``␣the``), how the
    vocabulary writes it where that differs (``Ġthe``), id, class, frequency and norm; either spelling can be searched
    for. The record does not say how its vocabulary writes a space, or the continuation of a word: it is told from the
    commonest mark. Tokens that were never seen are in a strip of their own; special ones that were not counted are
    left out.

    Parameters
    ----------
    measured : iterable of (TokenNorms, TokenCounts)
        Of :func:`embgeom.norms.token_norms` and :func:`embgeom.counts.token_counts` with the same tokenizer.

    Returns
    -------
    str
        HTML with everything in it; some 60 bytes per token.

    Raises
    ------
    CountsError
        If the counts are those of another tokenizer.
    OptionError
        If there is nothing to draw.
    """
    return _page("Frequency and norm", [_norms(norms, counts) for norms, counts in measured])


def interactive_tree(fits: Sequence[TreeFit]) -> str:
    """Return a page with trees in the Poincaré disc, as :func:`draw_poincare_disc` draws them, a figure each.

    To point at a point shows its token, and how far it is from the centre along the tree.

    Raises
    ------
    OptionError
        If there is nothing to draw.
    """
    return _page("Trees", [_tree(fit) for fit in fits])


def interactive_hierarchy(results: Sequence[Hierarchy]) -> str:
    """Return a page with what ``python -m embgeom.hierarchy`` measured, word by word.

    Of each result: the words of the groups by frequency and norm, the norms of general words against specific ones,
    and the tree that is nearest to the distances. Numbers by digits are in :func:`hierarchy_grid` alone.

    Raises
    ------
    OptionError
        If there is nothing to draw.
    """
    charts = []
    for result in results:
        if result.groups is not None and any(row.words for row in result.groups.groups):
            charts.append(_groups(result.groups))
        if result.pairs is not None and result.pairs.pairs:
            charts.append(_pairs(result.pairs))
        if result.trees:
            charts.append(_tree(min(result.trees, key=lambda fit: fit.mean_additive_distortion)))
    return _page("Hierarchy", charts)


def _page(title: str, charts: list[Chart]) -> str:
    if not charts:
        raise OptionError("there is nothing to draw: no result has a word that is a single token, or a tree")
    return chart_page(title, charts)


def _norms(norms: TokenNorms, counts: TokenCounts) -> Chart:
    check_one_tokenizer(norms, counts)
    frequencies = counts.as_dict()
    uncounted = set() if counts.special_tokens else set(counts.special_token_ids)
    present = [name for name in CLASSES if name in set(norms.classes)]
    place = {name: number for number, name in enumerate(present)}
    texts = readable_tokens(norms.tokens, norms.classes)
    rows = [
        (frequencies.get(number, 0), norm, text, token if token != text else "", place[of_class], number)
        for number, norm, text, token, of_class in zip(
            norms.token_ids, norms.norms, texts, norms.tokens, norms.classes, strict=True
        )
        if number not in uncounted
    ]
    seen = sum(row[0] > 0 for row in rows)
    return Chart(
        title=_title(norms.model, counts.data),
        note=f"{seen} token types by frequency and by the norm of their {norms.layer or ''} embeddings; on the left, "
        f"{len(rows) - seen} that the texts do not have.",
        x=_FREQUENCY,
        y=Axis(_NORM),
        points=dict(zip(("x", "y", "token", "raw", "group", "id"), map(list, zip(*rows, strict=True)), strict=True)),
        groups=tuple((name, _CLASS_COLOURS[name]) for name in present),
        shown=(("id", "id"), ("class", "group"), ("frequency", "x"), ("norm", "y")),
        lines=[],
    )


def _groups(result: GroupStatistics) -> Chart:
    words = [(word, number) for number, row in enumerate(result.groups) for word in row.words]
    counted = all(word.frequency is not None for word, _ in words)
    return Chart(
        title=f"{_title(result.model, result.data)}: groups of words",
        note="Frequency and norm of the words of each group.",
        x=_FREQUENCY if counted else Axis("place of the group, from 0"),
        y=Axis(_NORM),
        points={
            "x": [word.frequency if counted else number for word, number in words],
            "y": [word.norm for word, _ in words],
            "token": [word.word for word, _ in words],
            "raw": [word.token if word.token != word.word else "" for word, _ in words],
            "group": [number for _, number in words],
            "id": [word.token_id for word, _ in words],
        },
        groups=tuple((row.name, COLOURS[number % len(COLOURS)]) for number, row in enumerate(result.groups)),
        shown=(("id", "id"), ("group", "group"), ("frequency", "x"), ("norm", "y"))[: None if counted else 2],
        lines=[],
    )


def _pairs(result: PairTest) -> Chart:
    general, specific = ([getattr(pair, f"{which}_norm") for pair in result.pairs] for which in ("general", "specific"))
    low, high = min(general + specific), max(general + specific)
    return Chart(
        title=f"{_title(result.model, result.data)}: general and specific words",
        note="A point per pair; below the line the general word is the shorter one.",
        x=Axis(f"{_NORM} of the specific word"),
        y=Axis(f"{_NORM} of the general word"),
        points={
            "x": specific,
            "y": general,
            "token": [f"{pair.specific} → {pair.general}" for pair in result.pairs],
            "group": [int(y < x) for x, y in zip(specific, general, strict=True)],
        },
        groups=(("general not shorter", COLOURS[0]), ("general shorter", COLOURS[1])),
        shown=(("specific", "x"), ("general", "y")),
        lines=[[low, low, high, high]],
    )


def _tree(fit: TreeFit) -> Chart:
    from embgeom.trees.disc import geodesic, poincare_layout
    from embgeom.trees.structure import tree_metric

    distances = tree_metric(fit.edges, fit.nodes, fit.nodes)[:, : fit.points]
    centre = int(distances.sum(1).argmin())
    position = poincare_layout(fit, root=centre)
    hung = fit.method == "gromov"  # neighbour joining knows no base point
    name = "Gromov's tree" if hung else "neighbour joining"
    return Chart(
        title=f"{_title(fit.model, None)}: {name}",
        note=f"{fit.points} points in the Poincaré disc; |d_T − d| is at most {fit.relative_additive_distortion:.3f} "
        f"of the diameter, {fit.relative_mean_additive_distortion:.3f} on average.",
        x=Axis(""),
        y=Axis(""),
        points={
            "x": position[: fit.points, 0].tolist(),
            "y": position[: fit.points, 1].tolist(),
            "token": list(fit.labels),
            "group": [int(hung and point == fit.root) for point in range(fit.points)],
            "from": distances[centre].tolist(),
        },
        groups=(("points", COLOURS[0]), *([("base point", COLOURS[1])] if hung else [])),
        shown=(("from the centre, along the tree", "from"),),
        lines=[geodesic(position[u], position[v], 17).ravel().tolist() for u, v, _ in fit.edges],
        disc=True,
    )


def _title(model: str | None, data: str | None) -> str:
    return " · ".join(filter(None, [model_name(model) if model else "embeddings", data]))
