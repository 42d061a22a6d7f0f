"""``python -m embgeom.delta``: δ-hyperbolicity of a model's token embeddings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from embgeom import cli

if TYPE_CHECKING:
    from embgeom.delta.records import HyperbolicityDistribution


def main(
    model: cli.ModelOption = ["demo"],  # noqa: B006  (typer copies it)
    data: cli.DataOption = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="`exact`: all quadruples. `bounds`: δ from below and above. `auto`: exact up to some "
            "2000 points, else bounds. `base`: one base point, δ_p ≤ δ ≤ 2δ_p. `sample`: quadruples at random. "
            "Default: `base` with --data (the paper's figure), `auto` without."
        ),
    ] = None,
    base: Annotated[str, typer.Option(help="Base point of `base`: `first`, `medoid`, `all`, or an index.")] = "first",
    metric: Annotated[str, typer.Option(help="`euclidean`, `angular` or `cosine`.")] = "euclidean",
    points: Annotated[int, typer.Option(help="Tokens per trial, without --data.", metavar="N")] = 500,
    trials: Annotated[int, typer.Option(help="Random subsets of the vocabulary, without --data.", metavar="N")] = 10,
    quadruples: Annotated[int, typer.Option(help="Per prompt or trial, with `sample`.", metavar="N")] = 100_000,
    layer: cli.LayerOption = "input",
    revision: cli.RevisionOption = None,
    field: cli.FieldOption = None,
    data_root: cli.DataRootOption = None,
    limit: cli.LimitOption = None,
    device: cli.DeviceOption = None,
    seed: cli.SeedOption = 0,
    json: cli.JsonOption = None,
    figure: cli.FigureOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Measure Gromov's δ of token embeddings, relative to the diameter: 2δ/diameter, 0 for a tree.

    With --data: per prompt, base point the first token, mean ± standard deviation over the prompts. Without: over
    random subsets of the vocabulary.

    Example: python -m embgeom.delta --model meta-llama/Meta-Llama-3-8B --data gsm8k --json delta.json
    """
    options = {
        "method": method or ("base" if data else "auto"),
        "metric": metric,
        "base": base,
        "quadruples": quadruples,
        "seed": seed,
        "device": device,
        "progress": not quiet,
    }
    _check_early(options, layer, json, figure)
    cli.quieten_libraries()
    if cli.join_ranks() > 0:
        json = figure = None
        options["progress"] = False
    results: list[HyperbolicityDistribution] = []
    complete = False
    try:
        complete = _measure(
            results,
            model,
            data,
            source={"layer": layer, "revision": revision},
            texts={"field": field, "limit": limit, "data_root": data_root},
            vocabulary={"points": points, "trials": trials},
            options=options,
        )
    finally:  # on Ctrl-C too: what is computed is kept
        complete &= not results or _report(results, json, figure)
    if not complete:
        raise typer.Exit(1)


def _check_early(options: dict[str, Any], layer: str, json: Path | None, figure: Path | None) -> None:
    """Refuse before anything is fetched or computed what the library would refuse after."""
    from embgeom.delta.checks import check_options
    from embgeom.device import pick_device
    from embgeom.embeddings import LAYERS
    from embgeom.errors import choose
    from embgeom.plots import check_figure_path

    check_options(**{name: options[name] for name in ("method", "metric", "base", "seed")})
    choose("layer", layer, LAYERS)
    cli.check_writable(json, figure)
    if figure is not None:
        check_figure_path(figure)
    pick_device(options["device"])


def _measure(
    results: list[HyperbolicityDistribution],
    models: list[str],
    data: list[str] | None,
    *,
    source: dict[str, Any],
    texts: dict[str, Any],
    vocabulary: dict[str, Any],
    options: dict[str, Any],
) -> bool:
    """Append one result per model and data set; say what fails and go on; return whether nothing did."""
    from embgeom.corpus import load_texts
    from embgeom.delta.clouds import prompt_hyperbolicity, vocabulary_hyperbolicity
    from embgeom.embeddings import load_embeddings

    corpora = [cli.attempt(load_texts, name, **texts) for name in data or []]
    complete = None not in corpora
    if data and not any(corpora):
        return False
    for name in models:
        embeddings = cli.attempt(load_embeddings, name, **source)
        if embeddings is None:
            complete = False
            continue
        measures: list[Callable[..., HyperbolicityDistribution]]
        measures = [partial(prompt_hyperbolicity, embeddings, corpus) for corpus in corpora if corpus is not None]
        for measure in measures if data else [partial(vocabulary_hyperbolicity, embeddings, **vocabulary)]:
            result = cli.attempt(measure, **options)
            if result is None:
                complete = False
            else:
                results.append(result)
    return complete


def _report(results: list[HyperbolicityDistribution], json: Path | None, figure: Path | None) -> bool:
    """Write the files, then print; return whether all could be written."""
    complete = json is None or cli.attempt(cli.write_json, json, results) is not None
    if figure is not None:
        from embgeom.plots import relative_delta_histogram, save_figure

        complete &= cli.attempt(save_figure, relative_delta_histogram(results), figure) is not None
    try:
        _print_values(results)
        _print_witnesses(results)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has gone (`| head`), at which rich would end the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return complete


def _print_values(results: list[HyperbolicityDistribution]) -> None:
    first = results[0]
    prompts = first.level == "prompts"
    table = cli.table(
        *(("model", "data", ">prompts") if prompts else ("model", ">trials")),
        *(">points", ">δ", ">diameter", ">relative δ"),
        *([] if first.exact else [">at most"]),
    )
    names = _names(results)
    for result in results:
        table.add_row(
            *names[id(result)],
            f"{result.n}" + (f" (+{result.left_out} left out)" if result.left_out else ""),
            f"{result.points:.0f}" if result.points.is_integer() else f"{result.points:.1f}",
            f"{result.delta:.4f}",
            f"{result.diameter:.4f}",
            f"{result.relative_delta:.5f} ± {result.relative_delta_sd:.5f}",
            *([] if first.exact else [_upper(result)]),
        )
    over = "prompts" if prompts else f"random subsets of {first.points:.0f} tokens"
    skipped = sum(int(result.provenance.get("skipped") or 0) for result in results)
    cli.print_table(
        table,
        title=f"δ-hyperbolicity of {first.layer} embeddings: {_what(first)}",
        caption=f"relative δ = 2δ/diameter, mean ± population standard deviation over {over}"
        + ("" if first.exact else "; at most: the mean of what the four-point value is at most")
        + (f"; {skipped} blank records were skipped" if skipped else ""),
    )


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


if __name__ == "__main__":
    cli.run(main)
