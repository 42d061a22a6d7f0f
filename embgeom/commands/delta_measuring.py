"""What ``python -m embgeom.delta`` measures: one cell per model and data set."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from embgeom import cli
from embgeom.delta.checks import check_options
from embgeom.delta.clouds import prompt_hyperbolicity, vocabulary_hyperbolicity
from embgeom.delta.records import HyperbolicityDistribution
from embgeom.device import pick_device
from embgeom.embeddings import load_embeddings
from embgeom.errors import InputError, OptionError
from embgeom.layers.names import hidden_layers

if TYPE_CHECKING:
    from embgeom.calibration import Calibration
    from embgeom.layers import LayerProfile
    from embgeom.treelikeness import TreeLikenessDistribution

__all__ = ["Cell", "check", "measure"]

_DRAWS = 19
_UNASKED = 1e10  # quadruples that q may look at where nobody asked for it: some ten seconds


@dataclass
class Cell:
    """One model on one data set, or on its vocabulary."""

    delta: HyperbolicityDistribution
    tree_likeness: TreeLikenessDistribution | None = None
    calibration: Calibration | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the keys of δ, and beside them ``tree_likeness`` and ``calibration`` where they are known."""
        beside = {"tree_likeness": self.tree_likeness, "calibration": self.calibration}
        return self.delta.to_dict() | {name: record.to_dict() for name, record in beside.items() if record is not None}


def check(asked: dict[str, Any]) -> None:
    """Refuse before anything is fetched or computed what the library would refuse after."""
    check_options(method=asked["method"] or "auto", metric=asked["metric"], base=asked["base"], seed=asked["seed"])
    hidden = hidden_layers(asked["layer"])
    if hidden is not None:
        _check_hidden(asked)
    elif asked["null"]:
        from embgeom.calibration.checks import check_calibration, choose_nulls

        choose_nulls(asked["null"], level="prompts" if asked["data"] else "vocabulary")
        check_calibration(draws=_draws(asked), level=0.05)
    elif asked["null_draws"] is not None:
        raise OptionError("null draws were asked for and no null; name one, or all, with --null")
    if asked["as_seen"] and asked["layer"] != "input":
        raise OptionError("--as-seen is about input embeddings; hidden states and output embeddings are as they are")
    pick_device(asked["device"])


def _check_hidden(asked: dict[str, Any]) -> None:
    from embgeom.layers.measure import choose_nulls

    if not asked["data"]:
        raise OptionError(f"layer {asked['layer']} is of texts, in which each token has its own state: give --data")
    if asked["method"] is not None or asked["base"] != "first" or asked["metric"] != "euclidean":
        raise OptionError(
            f"layer {asked['layer']}: leave out --method, --base and --metric; distances are Euclidean, and both the "
            "exact δ and that with the first token as base are given"
        )
    choose_nulls(_one_or_all(asked["null"]))


def measure(results: list[Any], asked: dict[str, Any]) -> bool:
    """Append one result per model and data set; say what fails and go on; return whether nothing did."""
    from embgeom.corpus import load_texts

    corpora = [cli.attempt(load_texts, name, **asked["texts"]) for name in asked["data"] or []]
    complete = None not in corpora
    if asked["data"] and not any(corpora):
        return False
    found = [corpus for corpus in corpora if corpus is not None]
    one_model = _layers_of if hidden_layers(asked["layer"]) is not None else _embeddings_of
    for name in asked["models"]:
        complete &= one_model(results, name, found, asked)
    return complete


def _layers_of(results: list[LayerProfile], model: str, corpora: list[Any], asked: dict[str, Any]) -> bool:
    """Append the profile of every corpus."""
    from embgeom.layers import layer_statistics

    options: dict[str, Any] = {name: asked[name] for name in ("repeats", "seed", "revision", "device", "progress")}
    if asked["null"]:
        options["null"] = _one_or_all(asked["null"])
    if asked["null_draws"] is not None:
        options["null_draws"] = asked["null_draws"]
    complete = True
    for corpus in corpora:
        layers = hidden_layers(asked["layer"])
        about = _names(model, corpus)
        profile = cli.attempt(layer_statistics, model, corpus, about=about, layers=layers, **options)
        complete &= profile is not None
        if profile is not None:
            results.append(profile)
    return complete


def _embeddings_of(results: list[Cell], model: str, corpora: list[Any], asked: dict[str, Any]) -> bool:
    """Append the cell of every corpus, or that of the vocabulary where there are no data."""
    embeddings = cli.attempt(_load, model, asked)
    if embeddings is None:
        return False
    options = {name: asked[name] for name in ("metric", "base", "quadruples", "seed", "device", "progress")}
    options["method"] = asked["method"] or ("base" if asked["data"] else "auto")
    subsets = {"points": asked["points"], "trials": asked["trials"]}
    complete = True
    for corpus in corpora if asked["data"] else [None]:
        delta: Callable[..., HyperbolicityDistribution]
        delta = (
            partial(vocabulary_hyperbolicity, embeddings, **subsets)
            if corpus is None
            else partial(prompt_hyperbolicity, embeddings, corpus)
        )
        result = cli.attempt(delta, about=_names(model, corpus), **options)
        if result is None:
            complete = False
            continue
        cell = Cell(result)
        results.append(cell)
        if asked["first_rank"]:
            complete &= _set_beside(cell, embeddings, corpus, subsets, asked)
    return complete


def _names(model: str, corpus: Any) -> tuple[str, ...]:
    return (model,) if corpus is None else (model, corpus.name)


def _load(model: str, asked: dict[str, Any]) -> Any:
    embeddings = load_embeddings(model, layer=asked["layer"], revision=asked["revision"])
    if asked["as_seen"]:
        from embgeom.embeddings.scale import as_seen

        seen = as_seen(embeddings)
        if seen is embeddings:
            cli.note(f"model {model!r} takes its embeddings as they are: --as-seen changes nothing")
        return seen
    return embeddings


def _set_beside(cell: Cell, embeddings: Any, corpus: Any, subsets: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Fill in what stands beside δ; return whether what was asked for could be computed."""
    options: dict[str, Any] = {name: asked[name] for name in ("metric", "seed", "progress")}
    if corpus is not None:
        options["repeats"] = asked["repeats"]
    if asked["null"]:
        from embgeom.calibration import calibrate_prompts, calibrate_vocabulary

        options |= {"nulls": asked["null"], "draws": _draws(asked)}
        about = _names(embeddings.model, corpus)
        if corpus is None:
            cell.calibration = cli.attempt(calibrate_vocabulary, embeddings, about=about, **subsets, **options)
        else:
            cell.calibration = cli.attempt(calibrate_prompts, embeddings, corpus, about=about, **options)
        if cell.calibration is None:
            return False
        cell.tree_likeness = cell.calibration.observed
    elif corpus is not None and cell.delta.n * cell.delta.points**4 / 24 <= _UNASKED:
        from embgeom.treelikeness import prompt_tree_likeness

        with contextlib.suppress(InputError):  # no prompt has four distinct tokens: δ stands alone
            cell.tree_likeness = prompt_tree_likeness(embeddings, corpus, **options)
    return True


def _draws(asked: dict[str, Any]) -> int:
    return _DRAWS if asked["null_draws"] is None else int(asked["null_draws"])


def _one_or_all(null: list[str] | None) -> str | list[str] | None:
    return "all" if null and "all" in null else null
