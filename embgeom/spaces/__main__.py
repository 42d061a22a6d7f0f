"""``python -m embgeom.spaces``: relative δ and q of reference spaces, the ruler for those of data."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embgeom import cli

if TYPE_CHECKING:
    from embgeom.spaces.ruler import SpaceMeasure


def main(
    points: Annotated[int, typer.Option(help="Points per space, up to some 2000.", metavar="N")] = 100,
    draws: Annotated[int, typer.Option(help="Random draws per space.", metavar="R")] = 10,
    seed: cli.SeedOption = 0,
    json: cli.JsonOption = None,
    figure: cli.FigureOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Measure trees, graphs, spheres, hyperbolic discs and noise: what δ and q are where the shape is known.

    relative δ is 2δ/diameter, exact; q = (S1 − S2)/(S1 − S3) over quadruples. Both are 0 for a tree.

    Example: python -m embgeom.spaces --points 40 --figure ruler.png
    """
    from embgeom.delta.checks import check_seed, require_at_least, require_four

    require_at_least("points", points, 0)
    require_four(points)
    require_at_least("draws", draws, 1)
    check_seed(seed)
    cli.check_writable(json, figure)
    if figure is not None:
        from embgeom.plots import check_figure_path

        check_figure_path(figure)
    results: list[SpaceMeasure] = []
    complete = False
    try:
        complete = _measure(results, points, draws, seed, progress=not quiet)
    finally:  # on Ctrl-C too: what is computed is kept
        complete &= not results or _report(results, json, figure)
    if not complete:
        raise typer.Exit(1)


def _measure(results: list[SpaceMeasure], points: int, draws: int, seed: int, *, progress: bool) -> bool:
    """Append one result per space; return whether all could be measured."""
    from embgeom.progress import part, progress_of
    from embgeom.spaces.ruler import SPACES, measure_space
    from embgeom.treelikeness.prepare import prepare

    prepare(show=progress)
    complete = True
    with progress_of("reference spaces", show=progress) as advance:
        for number, name in enumerate(SPACES):
            own = part(advance, number / len(SPACES), (number + 1) / len(SPACES))
            found = cli.attempt(measure_space, name, points=points, draws=draws, seed=seed, on_progress=own)
            if found is None:
                complete = False
            else:
                results.append(found)
    return complete


def _report(results: list[SpaceMeasure], json: Path | None, figure: Path | None) -> bool:
    """Write the files, then print; return whether all could be written."""
    complete = json is None or cli.attempt(cli.write_json, json, results) is not None
    if figure is not None:
        from embgeom.plots import save_figure, space_ruler

        complete &= cli.attempt(save_figure, space_ruler(results), figure) is not None
    try:
        _print(results)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has gone (`| head`), at which rich would end the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return complete


def _print(results: list[SpaceMeasure]) -> None:
    table = cli.table("space", ">diameter", ">δ", ">relative δ", ">mean q", ">pooled q", ">star residual")
    for result in results:
        table.add_row(
            result.space,
            f"{result.diameter.mean:.2f}",
            f"{result.delta.mean:.3f}",
            *(
                f"{spread.mean:.3f} ± {spread.sd:.3f}"
                for spread in (result.relative_delta, result.mean_q, result.pooled_q, result.star_residual)
            ),
        )
    first = results[0]
    sampled = "" if first.method == "exact" else ", of a million drawn at random"
    cli.print_table(
        table,
        title=f"Reference spaces of {first.points} points: mean ± standard deviation over {first.draws} draws",
        caption="relative δ = 2δ/diameter, exact. With S1 ≥ S2 ≥ S3 the sums of opposite distances of a quadruple, q = "
        f"(S1 − S2)/(S1 − S3):\nits mean over quadruples{sampled}, and (pooled) mean S1 − S2 over mean S1 − S3. "
        "Star residual: share of the variance\nof the distances that the best star d_ij ≈ h_i + h_j leaves. All move "
        "with the dimension, relative δ also with the number of points.\n\n"
        "arXiv 2410.04010 has sphere 0.99 ± 0.00, random graph 0.62 ± 0.34, scale-free graph 0.00. The first is S² "
        "with geodesic distances\n(500 points or more), the last a tree, m = 1; with m = 2 there are cycles. The "
        "spread of the second needs graphs of 6 or 7 nodes.",
    )


if __name__ == "__main__":
    cli.run(main)
