"""``python -m embgeom.frequency``: token frequencies as a discrete power law."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.markup import escape

from embgeom import cli
from embgeom.errors import OptionError

if TYPE_CHECKING:
    from embgeom.counts import TokenCounts
    from embgeom.frequency.records import Comparison, PowerLawFit


_ENOUGH = 50  # Clauset, Shalizi and Newman 2009, section 3.2


class _Fitted(NamedTuple):
    counts: TokenCounts
    fit: PowerLawFit


def main(
    model: cli.ModelOption = ["demo"],  # noqa: B006  (typer copies it)
    data: cli.DataOption = ["demo"],  # noqa: B006
    no_special_tokens: cli.NoSpecialTokensOption = False,
    goodness_of_fit: Annotated[
        int,
        typer.Option(
            help="Bootstrap replicates for the p-value of the power law; 0: none. With R of them p is known to "
            "about 1/(2√R).",
            metavar="R",
        ),
    ] = 0,
    revision: cli.RevisionOption = None,
    field: cli.FieldOption = None,
    data_root: cli.DataRootOption = None,
    limit: cli.LimitOption = None,
    seed: cli.SeedOption = 0,
    json: cli.JsonOption = None,
    figure: cli.FigureOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Fit P(k) ∝ k^(−γ), k ≥ k_min, to how often the token types of texts occur; set it beside four alternatives.

    Only the tokenizer of a model is loaded, and texts are read one by one: neither weights nor corpora need fit in
    memory.

    Example: python -m embgeom.frequency --model meta-llama/Meta-Llama-3-8B --data gsm8k boolq --goodness-of-fit 200
    """
    _check_early(goodness_of_fit, seed, json, figure)
    cli.quieten_libraries()
    results: list[_Fitted] = []
    complete = False
    try:
        complete = _fit_all(
            results,
            model,
            data or ["demo"],
            revision=revision,
            texts={"field": field, "limit": limit, "data_root": data_root},
            counting={"special_tokens": not no_special_tokens, "progress": not quiet},
            fitting={"goodness_of_fit": goodness_of_fit, "seed": seed, "progress": not quiet},
        )
    finally:  # on Ctrl-C too: what is computed is kept
        complete &= not results or _report(results, json, figure)
    if not complete:
        raise typer.Exit(1)


def _check_early(goodness_of_fit: int, seed: int, json: Path | None, figure: Path | None) -> None:
    """Refuse before anything is fetched or computed what the library would refuse after."""
    from embgeom.plots import check_figure_path

    for name, value in (("goodness-of-fit", goodness_of_fit), ("seed", seed)):
        if value < 0:
            raise OptionError(f"{name} must be a whole number of at least 0, got {value}")
    cli.check_writable(json, figure)
    if figure is not None:
        check_figure_path(figure)


def _fit_all(
    results: list[_Fitted],
    models: list[str],
    data: list[str],
    *,
    revision: str | None,
    texts: dict[str, Any],
    counting: dict[str, Any],
    fitting: dict[str, Any],
) -> bool:
    """Append one result per model and data set; say what fails and go on; return whether nothing did."""
    from embgeom.commands.counting import count
    from embgeom.corpus import stream_texts
    from embgeom.embeddings import load_tokenizer
    from embgeom.frequency import fit_power_law

    corpora = [corpus for name in data if (corpus := cli.attempt(stream_texts, name, **texts)) is not None]
    complete = len(corpora) == len(data)
    if not corpora:
        return False
    for name in models:
        tokenizer = cli.attempt(load_tokenizer, name, revision=revision)
        if tokenizer is None:
            complete = False
            continue
        for corpus in list(corpora):
            counts = cli.attempt(count, corpora, corpus, tokenizer, **counting)
            fit = None if counts is None else cli.attempt(fit_power_law, counts, about=(name, corpus.name), **fitting)
            if counts is None or fit is None:
                complete = False
            else:
                results.append(_Fitted(counts, fit))
    return complete


def _report(results: list[_Fitted], json: Path | None, figure: Path | None) -> bool:
    """Write the files, then print; return whether all could be written."""
    fits = [result.fit for result in results]
    complete = json is None or cli.attempt(cli.write_json, json, fits) is not None
    if figure is not None:
        from embgeom.plots import frequency_grid, save_figure

        complete &= cli.attempt(save_figure, frequency_grid(fits), figure) is not None
    try:
        _print_fits(results)
        _print_comparisons(results)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has gone (`| head`), at which rich would end the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return complete


def _print_fits(results: list[_Fitted]) -> None:
    tested = results[0].fit.goodness is not None
    table = cli.table(
        *("model", "data", ">texts", ">tokens", ">types", ">γ", ">k_min", ">tail", ">KS", ">Zipf"),
        *([">p"] if tested else []),
    )
    names = _names(results)
    for counts, fit in results:
        table.add_row(
            *names[id(fit)],
            *(str(number) for number in (counts.texts, counts.total, counts.types)),
            f"{fit.gamma:.3f}±{fit.standard_error:.3f}",
            str(fit.k_min),
            f"{fit.tail_size}{'*' if fit.tail_size < _ENOUGH else ''}",
            f"{fit.ks_distance:.3f}",
            f"{fit.zipf_exponent:.2f}",
            *([] if fit.goodness is None else [f"{fit.goodness.p:.2f}"]),
        )
    counted = "special tokens counted" if results[0].counts.special_tokens else "special tokens left out"
    replicates = results[0].fit.goodness.replicates if results[0].fit.goodness else 0
    few = any(fit.tail_size < _ENOUGH for _, fit in results)
    skipped = sum(int(counts.provenance.get("skipped") or 0) for counts, _ in results)
    cli.print_table(
        table,
        title=f"How often token types occur: P(k) ∝ k^(−γ) for k ≥ k_min ({counted})",
        caption="γ: discrete maximum likelihood ± standard error; tail: types with k ≥ k_min; KS: distance to the fit "
        "there; Zipf: 1/(γ − 1)"
        + (f"; p: of {replicates} bootstrap replicates, the power law is ruled out at p ≤ 0.1" if tested else "")
        + (f"; *: fewer than {_ENOUGH} types, to be treated with caution (Clauset et al. 2009, 3.2)" if few else "")
        + cli.skipped_text(skipped),
    )


def _print_comparisons(results: list[_Fitted]) -> None:
    table = cli.table("model", "data", "alternative", ">R", ">p", "in words")
    names = _names(results)
    for _, fit in results:
        shown = names[id(fit)]
        for comparison in fit.comparisons:
            table.add_row(
                *shown,
                escape(comparison.alternative),
                *(("–", "–") if comparison.is_power_law else _ratio_and_p(comparison)),
                escape(comparison.sentence.split(" (R")[0]),  # what follows are the columns before
            )
            shown = ["", ""]
    cli.print_table(
        table,
        title="The power law beside other distributions of the same tail",
        caption="R = ln L(power law) − ln L(alternative); p: Vuong's test, and Wilks' for the truncated power law",
    )


def _ratio_and_p(comparison: Comparison) -> tuple[str, str]:
    ratio = f"{comparison.log_likelihood_ratio:.2f}"
    return ratio, f"{comparison.p:.2g}" if comparison.p >= 1e-16 else "< 1e-16"


def _names(results: list[_Fitted]) -> dict[int, list[str]]:
    """Return the cells that name each result, by the identity of its fit: tokenizer and data."""
    models = cli.short_names([result.counts.tokenizer or "" for result in results])
    return {
        id(result.fit): [escape(models[result.counts.tokenizer or ""]), escape(result.counts.data or "")]
        for result in results
    }


if __name__ == "__main__":
    cli.run(main)
