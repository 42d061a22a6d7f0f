"""The figure of ``python -m embgeom.delta``, by what was measured."""

from __future__ import annotations

from typing import Any

from embgeom import plots

__all__ = ["draw"]


def draw(results: list[Any]) -> Any:
    """Return layers against depth, data beside nulls, or the distribution of relative δ."""
    from embgeom.commands.delta_measuring import Cell

    if not isinstance(results[0], Cell):
        return plots.layer_grid(results)
    calibrations = [cell.calibration for cell in results if cell.calibration is not None]
    if calibrations:
        return plots.calibration_grid(calibrations)
    return plots.relative_delta_histogram([cell.delta for cell in results])
