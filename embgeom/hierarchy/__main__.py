"""``python -m embgeom.hierarchy``: hierarchy in the norms of a model's embeddings and in their distances."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embgeom import cli
from embgeom.commands.figure_files import FigureOption, check_figure, is_page

if TYPE_CHECKING:
    from embgeom.embeddings import Embeddings
    from embgeom.hierarchy.summary import Hierarchy
    from embgeom.trees import TreeFit


_LEAST_WORDS = 3


def main(
    model: cli.ModelOption = ["demo"],  # noqa: B006  (typer copies it)
    data: cli.DataOption = ["demo"],  # noqa: B006
    groups: Annotated[
        Path | None,
        typer.Option(
            help="YAML or JSON with your own groups, in the order to test: `{general: [animal], specific: [dog]}`. "
            "Default: the paper's.",
            metavar="FILE",
        ),
    ] = None,
    tree_tokens: Annotated[
        Path | None,
        typer.Option(
            help="Text file with the words to fit trees to, one a line. Default: those of the groups.", metavar="FILE"
        ),
    ] = None,
    layer: cli.LayerOption = "input",
    revision: cli.RevisionOption = None,
    field: cli.FieldOption = None,
    data_root: cli.DataRootOption = None,
    limit: cli.LimitOption = None,
    seed: cli.SeedOption = 0,
    json: cli.JsonOption = None,
    figure: FigureOption = None,
    quiet: cli.QuietOption = False,
) -> None:
    """Look for hierarchy in token embeddings: in norms, and in trees fitted to distances.

    Norms of groups of words, of numbers by digits, of general words and specific ones. --data gives the frequencies.
    A word is the one token that it is after a space; others are left out and named.

    Example: python -m embgeom.hierarchy --model demo --data gsm8k --figure hierarchy.png
    """
    words = _check_early(groups, layer, seed, json, figure)
    leaves = None if tree_tokens is None else _read_words(tree_tokens)
    cli.quieten_libraries()
    results: list[Hierarchy] = []
    complete = False
    try:
        complete = _measure(
            results,
            model,
            data or ["demo"],
            words,
            leaves,
            source={"layer": layer, "revision": revision},
            texts={"field": field, "limit": limit, "data_root": data_root},
            seed=seed,
            progress=not quiet,
        )
    finally:  # on Ctrl-C too: what is computed is kept
        complete &= not results or _report(results, json, figure)
    if not complete:
        raise typer.Exit(1)


def _check_early(
    groups: Path | None, layer: str, seed: int, json: Path | None, figure: Path | None
) -> dict[str, tuple[str, ...]]:
    """Refuse before anything is fetched or computed what the library would refuse after; return the groups."""
    from embgeom.embeddings import LAYERS
    from embgeom.errors import OptionError, choose
    from embgeom.hierarchy.groups import PAPER_GROUPS, read_groups

    choose("layer", layer, LAYERS)
    if seed < 0:
        raise OptionError(f"seed must be a whole number of at least 0, got {seed}")
    check_figure(figure)
    cli.check_writable(json, figure)
    return PAPER_GROUPS if groups is None else read_groups(groups)


def _measure(
    results: list[Hierarchy],
    models: list[str],
    data: list[str],
    groups: dict[str, tuple[str, ...]],
    leaves: list[str] | None,
    *,
    source: dict[str, Any],
    texts: dict[str, Any],
    seed: int,
    progress: bool,
) -> bool:
    """Append one result per model and data set; say what fails and go on; return whether nothing did."""
    from embgeom.corpus import load_texts
    from embgeom.counts import token_counts
    from embgeom.embeddings import load_embeddings
    from embgeom.hierarchy import Hierarchy, digit_norms, general_specific, group_statistics

    corpora = [cli.attempt(load_texts, name, **texts) for name in data]
    complete = None not in corpora
    if not any(corpora):
        return False
    for name in models:
        embeddings = cli.attempt(load_embeddings, name, **source)
        # Without a tokenizer nothing below has a meaning: say so once.
        tokenizer = None if embeddings is None else cli.attempt(getattr, embeddings, "tokenizer")
        if embeddings is None or tokenizer is None:
            complete = False
            continue
        digits = cli.attempt(digit_norms, embeddings, about=(name,))
        trees = cli.attempt(_fit_trees, embeddings, groups, leaves, about=(name,))
        for corpus in filter(None, corpora):
            counts = cli.attempt(token_counts, corpus, tokenizer, name=name, progress=progress)
            if counts is None:
                complete = False
                continue
            about = (name, corpus.name)
            measured = Hierarchy(
                model=embeddings.model,
                layer=embeddings.layer,
                data=counts.data,
                groups=cli.attempt(group_statistics, embeddings, groups, counts, about=about, seed=seed),
                digits=digits,
                pairs=cli.attempt(general_specific, embeddings, counts, about=about, seed=seed),
                trees=trees or (),
            )
            parts = (measured.groups, measured.digits, measured.pairs, trees)
            complete &= None not in parts
            if any(parts):
                results.append(measured)
    return complete


def _fit_trees(
    embeddings: Embeddings, groups: dict[str, tuple[str, ...]], leaves: list[str] | None
) -> tuple[TreeFit, ...]:
    """Fit a tree by each method to the leaves; if none were named, to the words of the groups, should they suffice."""
    from embgeom.trees import METHODS, token_tree
    from embgeom.words import word_tokens

    if leaves is None:
        leaves = [word for group in groups.values() for word in group]
        single = len(set(word_tokens(embeddings.tokenizer, leaves).found.values()))
        if single < _LEAST_WORDS:
            cli.note(
                f"no tree is fitted to the groups: {single} of their {len(leaves)} words are single tokens of "
                f"{embeddings.model}, and it takes {_LEAST_WORDS}; other words can be named with --tree-tokens"
            )
            return ()
    return tuple(token_tree(embeddings, leaves, method=method) for method in METHODS)


def _read_words(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank; raise :class:`InputError` if there are none."""
    from embgeom.errors import InputError

    try:
        words = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"tree tokens {path}: cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8'}"
        ) from None
    found = [word.strip() for word in words if word.strip()]
    if not found:
        raise InputError(f"tree tokens {path}: the file is empty; expected words, one a line")
    return found


def _report(results: list[Hierarchy], json: Path | None, figure: Path | None) -> bool:
    """Write the files, then print; return whether all could be written."""
    complete = json is None or cli.attempt(cli.write_json, json, results) is not None
    if figure is not None:
        complete &= cli.attempt(_draw, figure, results) is not None
    from embgeom.commands import hierarchy_tables as tables

    names = cli.short_names([result.model for result in results])
    try:
        tables.print_groups([(names[result.model], result.groups) for result in results if result.groups])
        tables.print_digits({names[result.model]: result.digits for result in results if result.digits})
        tables.print_pairs([(names[result.model], result.pairs) for result in results if result.pairs])
        tables.print_trees({names[result.model]: result.trees for result in results if result.trees})
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader has gone (`| head`), at which rich would end the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return complete


def _draw(path: Path, results: list[Hierarchy]) -> bool:
    if is_page(path):
        from embgeom.plots.interactive import interactive_hierarchy
        from embgeom.results import write_text

        write_text(path, interactive_hierarchy(results))
        return True
    from embgeom.plots import hierarchy_grid, save_figure

    return save_figure(hierarchy_grid(results), path)


if __name__ == "__main__":
    cli.run(main)
