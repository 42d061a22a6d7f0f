"""What ``python -m embgeom.delta`` prints of hidden layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embgeom import cli

if TYPE_CHECKING:
    from embgeom.layers import LayerProfile

__all__ = ["print_profiles"]

_SHOWN = ("mean_q", "pooled_q", "relative_delta")


def print_profiles(profiles: list[LayerProfile]) -> None:
    """Print a table for every model and data set: a row for each layer, and one for each null below it."""
    from embgeom.commands.delta_tables import STATISTIC_NAMES

    names = cli.short_names([profile.model for profile in profiles])
    for profile in profiles:
        table = cli.table("layer", "of", *(f">{STATISTIC_NAMES[name]}" for name in _SHOWN), ">lower q")
        for measure in profile.measures:
            found = [profile.at(measure.layer, name) for name in _SHOWN]
            table.add_row(
                f"{measure.layer}",
                "data",
                *(f"{entry.spread.mean:.4f} ± {entry.spread.sd:.4f}" for entry in found),
                "",
            )
            for number, null in enumerate(profile.nulls):
                bands = [entry.nulls[number] for entry in found]
                shown = (f"{band.mean:.4f} ± {band.sd:.4f}" for band in bands)
                table.add_row("", null, *shown, f"{bands[1].below:.0%}")
        title = f"Tree-likeness by layer: {names[profile.model]} · {profile.data or 'texts'}, {profile.n} prompt"
        title += "" if profile.n == 1 else "s"
        cli.print_table(table, title=title, caption=_caption(profile))


def _caption(profile: LayerProfile) -> str:
    points = "tokens, repeated ones kept" if profile.repeats else "tokens, each where it first occurs"
    left_out = f" ({profile.left_out} prompts left out)" if profile.left_out else ""
    text = f"mean ± standard deviation over the prompts, {profile.points:.1f} {points}{left_out}"
    if profile.nulls:
        text += (
            f"; lower q: share of prompts whose pooled q is below the mean of their {profile.null_draws} null clouds"
        )
    text += ". Layer 0 is what enters the first block"
    factor = profile.scale.factor
    if factor is None:
        text += ": embeddings that the model normalises or projects"
    elif factor != 1:
        text += f": embeddings times {factor:g}"
    if profile.last_is_normed and profile.depth in profile.layers:
        text += f"; layer {profile.depth} comes after the final norm, and does not compare with the others"
    return text + "."
