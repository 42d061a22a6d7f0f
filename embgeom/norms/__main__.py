"""``python -m embgeom.norms``: how often tokens occur against the norms of their embeddings."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from embgeom import cli
from embgeom.commands.figure_files import FigureOption, check_figure, is_page

if TYPE_CHECKING:
    from embgeom.counts import TokenCounts
    from embgeom.norms.measure import TokenNorms
    from embgeom.norms.records import NormAnalysis


class _Measured(NamedTuple):
    norms: TokenNorms
    counts: TokenCounts
    analysis: NormAnalysis


def main(
    model: cli.ModelOption = ["demo"],  # noqa: B006  (typer copies it)
    data: cli.DataOption = ["demo"],  # noqa: B006
    no_special_tokens: cli.NoSpecialTokensOption = False,
    bins: Annotated[int, typer.Option(help="Bins by norm, 2 to 1000.", metavar="N")] = 20,
    layer: cli.LayerOption = "input",
    revision: cli.RevisionOption = None,
    field: cli.FieldOption = None,
    data_root: cli.DataRootOption = None,
    limit: cli.LimitOption = None,
    seed: cli.SeedOption = 0,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", help="Write every token with its class, frequency and norm.", metavar="FILE"),
    ] = None,
    json: cli.JsonOption = None,
    figure: FigureOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Compare how often tokens occur with the norms of their embeddings.

    Spearman's ρ over token types with a bootstrap interval, over all and within classes of tokens (words' starts,
    continuations, digits, punctuation, …); the tokens that were never seen, apart.

    Example: python -m embgeom.norms --model meta-llama/Meta-Llama-3-8B --data gsm8k --figure norms.png
    """
    options = {"bins": bins, "seed": seed}
    _check_early(options, layer, csv, json, figure)
    cli.quieten_libraries()
    results: list[_Measured] = []
    complete = False
    try:
        complete = _measure_all(
            results,
            model,
            data or ["demo"],
            source={"layer": layer, "revision": revision},
            texts={"field": field, "limit": limit, "data_root": data_root},
            special_tokens=not no_special_tokens,
            options={**options, "progress": not quiet},
        )
    finally:  # on Ctrl-C too: what is computed is kept
        complete &= not results or _report(results, csv, json, figure)
    if not complete:
        raise typer.Exit(1)


def _check_early(options: dict[str, Any], layer: str, csv: Path | None, json: Path | None, figure: Path | None) -> None:
    """Refuse before anything is fetched or computed what the library would refuse after."""
    from embgeom.embeddings import LAYERS
    from embgeom.errors import choose
    from embgeom.norms.analysis import check_options

    check_options(confidence=0.95, resamples=1, **options)
    choose("layer", layer, LAYERS)
    check_figure(figure)
    cli.check_writable(csv, json, figure)


def _measure_all(
    results: list[_Measured],
    models: list[str],
    data: list[str],
    *,
    source: dict[str, Any],
    texts: dict[str, Any],
    special_tokens: bool,
    options: dict[str, Any],
) -> bool:
    """Append one result per model and data set; say what fails and go on; return whether nothing did."""
    from embgeom.commands.counting import count
    from embgeom.corpus import stream_texts
    from embgeom.embeddings import load_embeddings
    from embgeom.norms import frequency_norms, token_norms

    progress = options["progress"]
    corpora = [corpus for name in data if (corpus := cli.attempt(stream_texts, name, **texts)) is not None]
    complete = len(corpora) == len(data)
    if not corpora:
        return False
    for name in models:
        embeddings = cli.attempt(load_embeddings, name, **source)
        norms = None if embeddings is None else cli.attempt(token_norms, embeddings, progress=progress)
        if embeddings is None or norms is None:
            complete = False
            continue
        for corpus in list(corpora):
            counting = {"special_tokens": special_tokens, "progress": progress}
            counts = cli.attempt(count, corpora, corpus, embeddings.tokenizer, **counting)
            about = (name, corpus.name)
            analysis = None if counts is None else cli.attempt(frequency_norms, norms, counts, about=about, **options)
            if counts is None or analysis is None:
                complete = False
            else:
                results.append(_Measured(norms, counts, analysis))
    return complete


def _report(results: list[_Measured], csv: Path | None, json: Path | None, figure: Path | None) -> bool:
    """Write the files, then print; return whether all could be written."""
    from embgeom.commands.norms_tables import print_tables

    analyses = [result.analysis for result in results]
    complete = json is None or cli.attempt(cli.write_json, json, analyses) is not None
    if csv is not None:
        complete &= cli.attempt(_write_csv, csv, results) is not None
    if figure is not None:
        complete &= cli.attempt(_draw, figure, results) is not None
    try:
        print_tables(analyses)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has gone (`| head`), at which rich would end the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return complete


def _draw(path: Path, results: list[_Measured]) -> bool:
    if is_page(path):
        from embgeom.plots.interactive import interactive_norms
        from embgeom.results import write_text

        write_text(path, interactive_norms((result.norms, result.counts) for result in results))
        return True
    from embgeom.plots import norm_grid, save_figure

    return save_figure(norm_grid([result.analysis for result in results]), path)


def _write_csv(path: Path, results: list[_Measured]) -> bool:
    from embgeom.norms import norms_csv
    from embgeom.results import write_text

    write_text(path, norms_csv((result.norms, result.counts) for result in results))
    return True


if __name__ == "__main__":
    cli.run(main)
