"""What ``python -m embgeom.delta`` prints of embeddings: δ, the nulls beside it, and the witnesses."""

from __future__ import annotations

from typing import Any

from rich.markup import escape

from embgeom import cli
from embgeom.calibration.records import Calibration
from embgeom.commands.delta_measuring import Cell
from embgeom.delta.records import HyperbolicityDistribution
from embgeom.treelikeness.estimate import EXACT_POINTS

__all__ = ["STATISTIC_NAMES", "print_results"]

STATISTIC_NAMES = {
    "mean_q": "mean q",
    "pooled_q": "pooled q",
    "delta_over_sd": "mean 2δ/sd",
    "star_residual": "star residual",
    "relative_delta": "2δ/diameter",
    "fixed_base": "2δ_p/diameter",
}
"""What tables call the statistics."""


def print_results(results: list[Any]) -> None:
    """Print the tables of whatever was measured."""
    if not isinstance(results[0], Cell):
        from embgeom.commands.layer_tables import print_profiles

        print_profiles(results)
        return
    _print_values(results)
    for cell in results:
        if cell.calibration is not None:
            _print_calibration(cell.calibration, [cell.delta for cell in results])
    _print_witnesses([cell.delta for cell in results])


def _print_values(cells: list[Cell]) -> None:
    results = [cell.delta for cell in cells]
    first = results[0]
    prompts = first.level == "prompts"
    with_q = any(cell.tree_likeness is not None for cell in cells)
    table = cli.table(
        *(("model", "data", ">prompts") if prompts else ("model", ">trials")),
        *(">points", ">δ", ">diam.", ">relative δ"),
        *([] if first.exact else [">at most"]),
        *([">mean q"] if with_q else []),
    )
    names = _names(results)
    for cell in cells:
        result = cell.delta
        table.add_row(
            *names[id(result)],
            f"{result.n}" + (f" (+{result.left_out} left out)" if result.left_out else ""),
            f"{result.points:.0f}" if result.points.is_integer() else f"{result.points:.1f}",
            f"{result.delta:.4f}",
            f"{result.diameter:.4f}",
            f"{result.relative_delta:.5f} ± {result.relative_delta_sd:.5f}",
            *([] if first.exact else [_upper(result)]),
            *([f"{cell.tree_likeness.mean_q.mean:.3f}" if cell.tree_likeness else "–"] if with_q else []),
        )
    over = "prompts" if prompts else f"random subsets of {first.points:.0f} tokens"
    skipped = sum(int(result.provenance.get("skipped") or 0) for result in results)
    cli.print_table(
        table,
        title=f"δ-hyperbolicity of {first.layer} embeddings: {_what(first)}",
        caption=f"relative δ = {_delta(first)}/diameter, mean ± population standard deviation over {over}"
        + ("" if first.exact else "\nat most: the mean of what the four-point value is at most")
        + (_about_q(cells) if with_q else "")
        + _as_seen(results)
        + cli.skipped_text(skipped),
    )


def _as_seen(results: list[HyperbolicityDistribution]) -> str:
    """Say by what the model multiplies its embeddings, where that was applied."""
    factors = {str(result.provenance.get("tensor")).partition(" × ")[2] for result in results} - {""}
    return f"; embeddings times {', '.join(sorted(factors))}, as the first block sees them" if factors else ""


def _about_q(cells: list[Cell]) -> str:
    repeats = any(cell.tree_likeness is not None and cell.tree_likeness.repeats for cell in cells)
    return "\nmean q: (S1 − S2)/(S1 − S3) over all quadruples" + (
        ", repeated tokens kept"
        if repeats
        else " of distinct tokens; repeated ones change neither δ nor the diameter"
        if cells[0].delta.level == "prompts"
        else ""
    )


def _print_calibration(calibration: Calibration, shown: list[HyperbolicityDistribution]) -> None:
    observed = calibration.observed
    table = cli.table("statistic", "of", ">mean ± sd", ">difference", ">p lower", ">p higher", ">share")
    for entry in calibration.statistics:
        table.add_row(STATISTIC_NAMES[entry.statistic], "data", f"{entry.mean:.4f} ± {entry.sd:.4f}", *[""] * 4)
        for null in entry.nulls:
            table.add_row(
                "",
                null.null,
                f"{null.mean:.4f} ± {null.sd:.4f}",
                "–" if null.standardised is None else f"{null.standardised:+.1f}",
                f"{null.p_lower:.2g}",
                f"{null.p_higher:.2g}",
                f"{null.share_lower:.0%}",
            )
    unit = "prompt" if observed.level == "prompts" else "trial"
    count = f"{observed.n} {unit}{'' if observed.n == 1 else 's'}"
    title = f"Tree, or only high dimension? {count} beside null clouds, {calibration.draws} draws each"
    if len(shown) > 1:
        name = cli.short_names([result.model or "" for result in shown])[observed.model or ""]
        title += f": {' · '.join(filter(None, [name, observed.data]))}"
    points = "tokens, repeated ones kept" if observed.repeats else "distinct tokens"
    cli.print_table(
        table,
        title=title,
        caption=f"Over {points}, {observed.points:.1f} per {unit}; sd: over the {unit}s. difference: from the "
        f"{unit}'s own null clouds, in standard deviations of these; p: of the mean over the {unit}s, Monte Carlo; "
        f"share: {unit}s whose own p lower is at most {calibration.level:g}.\n"
        "q = (S1 − S2)/(S1 − S3) is 0 for a tree and near ½ for noise; any clustering lowers it, and so do few "
        "dimensions (null spectrum keeps these). 2δ/diameter is of the four-point δ; 2δ/sd follows norms, and star "
        "residual is 0 for a star."
        + _sampled(calibration)
        + _unused(calibration)
        + f"\n\n{calibration.verdict.sentence}\n{calibration.verdict.delta_sentence}",
    )


def _sampled(calibration: Calibration) -> str:
    """Say where quadruples were drawn, so that the largest of them is not the δ of the table above."""
    observed = calibration.observed
    if not observed.sampled:
        return ""
    unit = "prompt" if observed.level == "prompts" else "trial"
    of = "every" if observed.sampled == observed.n else f"{observed.sampled} of {observed.n}"
    units = unit if observed.sampled == observed.n else f"{unit}s"
    return (
        f" In {of} {units}, of more than {EXACT_POINTS} points, quadruples are drawn at random: 2δ/diameter is "
        "that of the largest of them, a lower bound, in data and nulls alike."
    )


def _unused(calibration: Calibration) -> str:
    count = calibration.unused_tokens
    if not count:
        return ""
    if calibration.observed.level == "prompts":
        return f" Nulls leave out {count} unused tokens."
    return f" The vocabulary has {count} unused tokens, a cluster that lowers q."


def _print_witnesses(results: list[HyperbolicityDistribution]) -> None:
    cloud = "prompt" if results[0].level == "prompts" else "trial"
    table = cli.table(*(("model", "data") if cloud == "prompt" else ("model",)), f">{cloud}", ">relative δ", "tokens")
    names = _names(results)
    for result in results:
        witness = result.witness
        # White space at the ends of a token would be lost in a table.
        shown = [repr(token) if token.split() != [token] else token for token in witness.tokens]
        tokens = "  ".join(shown or (f"id {token}" for token in witness.token_ids))
        table.add_row(*names[id(result)], str(witness.cloud), f"{witness.relative_delta:.5f}", escape(tokens))
    cli.print_table(table, title=f"The four tokens behind the largest relative δ ({cloud}s count from 0)")


def _upper(result: HyperbolicityDistribution) -> str:
    return "unknown" if result.relative_upper_bound is None else f"{result.relative_upper_bound:.5f}"


def _names(results: list[HyperbolicityDistribution]) -> dict[int, list[str]]:
    """Return the cells that name each result, by its identity: model and, for prompts, data."""
    models = cli.short_names([result.model or "" for result in results])
    return {
        id(result): [
            escape(name)
            for name in (models[result.model or ""], *([result.data or ""] if result.level == "prompts" else []))
        ]
        for result in results
    }


def _delta(result: HyperbolicityDistribution) -> str:
    return "2δ" if result.exact or result.method != "base" else "2δ_p"


def _what(result: HyperbolicityDistribution) -> str:
    if result.method == "sample":
        return "largest of the quadruples drawn, a lower bound of δ"
    if result.method == "bounds":
        return "largest quadruple of many climbs, a lower bound of δ"
    if result.method == "exact":
        return "four-point δ, exact"
    if result.exact:
        return "largest δ_p over all base points p: the four-point δ, exact"
    bounds = "δ_p ≤ δ" if result.metric == "cosine" else "δ_p ≤ δ ≤ 2δ_p"
    return f"fixed-base δ_p, base point {result.base} ({bounds})"
