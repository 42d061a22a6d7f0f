"""One cell: the statistics of one model on one corpus at one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embgeom.layers.names import hidden_layers
from embgeom.report.records import CellResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from embgeom.corpus import Corpus
    from embgeom.embeddings import Embeddings

__all__ = ["measure_cell", "options_of"]


def options_of(layer: str, nulls: tuple[str, ...], draws: int, seed: int) -> dict[str, Any]:
    """Return the options that a cell's numbers depend on, as plain values."""
    options: dict[str, Any] = {"layer": layer, "nulls": list(nulls), "draws": draws, "seed": seed}
    if hidden_layers(layer) is not None:
        from embgeom.device import pick_device

        options["device"] = pick_device().type  # GPUs round otherwise than CPUs
    return options


def measure_cell(
    model: str, corpus: Corpus, *, identity: dict[str, Any], key: str, load: Callable[[str, str], Embeddings]
) -> CellResult:
    """Measure a cell as its ``identity`` says.

    Parameters
    ----------
    model : str
    corpus : Corpus
    identity, key
        Of the cell; the options in it are those of :func:`options_of`.
    load : callable
        Returns the embeddings of a model at a layer.

    Raises
    ------
    InputError
        As the functions raise that measure it.
    """
    options = identity["options"]
    layer, nulls, seed = options["layer"], tuple(options["nulls"]), options["seed"]
    layers = hidden_layers(layer)
    if layers is not None:
        from embgeom.layers import layer_statistics

        drawn: dict[str, Any] = {"null": nulls, "null_draws": options["draws"]} if nulls else {"null": None}
        return CellResult(key, identity, profile=layer_statistics(model, corpus, layers=layers, seed=seed, **drawn))
    from embgeom.delta import prompt_hyperbolicity

    embeddings = load(model, layer)
    # On the CPU: prompts are small, and a GPU would share each of them with the ranks that measure other cells.
    base, exact = (
        prompt_hyperbolicity(embeddings, corpus, method=method, seed=seed, device="cpu") for method in ("base", "exact")
    )
    if nulls:
        from embgeom.calibration import calibrate_prompts

        calibration = calibrate_prompts(embeddings, corpus, nulls=nulls, draws=options["draws"], seed=seed)
        return CellResult(key, identity, base, exact, calibration=calibration)
    from embgeom.treelikeness import prompt_tree_likeness

    return CellResult(key, identity, base, exact, prompt_tree_likeness(embeddings, corpus, seed=seed))
