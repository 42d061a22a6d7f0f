"""The table of a sweep: a row per model, corpus and layer, with every statistic and its nulls; as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from embgeom.delta.records import HyperbolicityDistribution
from embgeom.layers.records import LayerMeasure, LayerProfile
from embgeom.report.records import REPORTED, Cell, CellResult, Sweep
from embgeom.results import Record
from embgeom.treelikeness.records import TreeLikenessDistribution

__all__ = ["NullRow", "Row", "StatisticRow", "csv_of", "json_of", "rows_of"]


@dataclass(frozen=True)
class NullRow(Record):
    """One statistic under one null.

    Attributes
    ----------
    null : str
    mean, sd : float
        Over the prompts' null clouds, and population standard deviation over the prompts.
    difference, difference_sd : float
        Of a prompt's value from the mean of its own draws: mean and population standard deviation over the prompts.
    standardised, p_lower, p_higher : float or None
        As in :class:`embgeom.calibration.NullComparison`; None of hidden layers.
    below : float or None
        Share of the prompts that are below the mean of their draws; of hidden layers alone.
    """

    null: str
    mean: float
    sd: float
    difference: float
    difference_sd: float
    standardised: float | None
    p_lower: float | None
    p_higher: float | None
    below: float | None


@dataclass(frozen=True)
class StatisticRow(Record):
    """One statistic: mean and population standard deviation over ``prompts`` prompts, and the nulls beside it."""

    name: str
    mean: float
    sd: float
    prompts: int
    nulls: tuple[NullRow, ...]


@dataclass(frozen=True)
class Row(Record):
    """One model on one corpus at one layer.

    Attributes
    ----------
    model, data, layer : str
        The layer is one: ``all`` is a row for each of ``hidden:0``, ``hidden:1``, … unless it failed.
    asked : str
        The layer as it was asked for.
    points : float or None
        Mean number of distinct tokens of the prompts that q is of.
    statistics : tuple of StatisticRow
        In the order of ``REPORTED``; empty where the cell failed.
    verdict : str or None
        The sentence on q beside the nulls.
    delta_verdict : str or None
        That on 2δ/diameter.
    error : str or None
    """

    model: str
    data: str
    layer: str
    asked: str
    points: float | None
    statistics: tuple[StatisticRow, ...]
    verdict: str | None
    delta_verdict: str | None
    error: str | None

    def of(self, name: str) -> StatisticRow | None:
        """Return one statistic; None where there is none."""
        return next((each for each in self.statistics if each.name == name), None)


def rows_of(sweep: Sweep) -> tuple[Row, ...]:
    """Return the rows of the table, in the order of the cells."""
    return tuple(row for cell in sweep.cells for row in _rows_of_cell(cell))


def _rows_of_cell(cell: Cell) -> list[Row]:
    names = cell.model, cell.data
    result = cell.result
    if result is None:
        return [Row(*names, cell.layer, cell.layer, None, (), None, None, cell.error)]
    if result.profile is not None:
        profile = result.profile
        return [
            Row(
                *names,
                f"hidden:{measure.layer}",
                cell.layer,
                profile.points,
                _hidden(profile, measure),
                None,
                None,
                None,
            )
            for measure in profile.measures
        ]
    observed = result.calibration.observed if result.calibration is not None else result.tree_likeness
    assert observed is not None
    assert result.fixed_base is not None
    assert result.exact is not None
    verdict = result.calibration.verdict if result.calibration is not None else None
    return [
        Row(
            *names,
            cell.layer,
            cell.layer,
            observed.points,
            _of_embeddings(result, observed, result.fixed_base, result.exact),
            None if verdict is None else verdict.sentence,
            None if verdict is None else verdict.delta_sentence,
            None,
        )
    ]


def _of_embeddings(
    result: CellResult,
    observed: TreeLikenessDistribution,
    base: HyperbolicityDistribution,
    exact: HyperbolicityDistribution,
) -> tuple[StatisticRow, ...]:
    nulls = (
        {} if result.calibration is None else {entry.statistic: entry.nulls for entry in result.calibration.statistics}
    )
    found = []
    for name in REPORTED:
        beside = tuple(
            NullRow(
                null.null,
                null.mean,
                null.sd,
                null.difference,
                null.difference_sd,
                null.standardised,
                null.p_lower,
                null.p_higher,
                None,
            )
            for null in nulls.get(name, ())
        )
        if name in ("fixed_base", "relative_delta"):
            own = base if name == "fixed_base" else exact
            found.append(StatisticRow(name, own.relative_delta, own.relative_delta_sd, own.n, beside))
        else:
            spread = getattr(observed, name)
            found.append(StatisticRow(name, spread.mean, spread.sd, len(spread.values), beside))
    return tuple(found)


def _hidden(profile: LayerProfile, measure: LayerMeasure) -> tuple[StatisticRow, ...]:
    found = []
    for name in REPORTED:
        own = profile.at(measure.layer, name)
        beside = tuple(
            NullRow(band.null, band.mean, band.sd, band.difference, band.difference_sd, None, None, None, band.below)
            for band in own.nulls
        )
        found.append(StatisticRow(name, own.spread.mean, own.spread.sd, len(own.spread.values), beside))
    return tuple(found)


def csv_of(rows: Sequence[Row]) -> str:
    """Return the table with a line for each statistic of the data (``of`` is ``data``) and of each null."""
    heading = "model data layer points statistic of prompts mean sd difference difference_sd standardised p_lower"
    names = [*heading.split(), "p_higher", "below", "error"]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    for row in rows:
        known: dict[str, object] = {"model": row.model, "data": row.data, "layer": row.layer, "points": row.points}
        if row.error is not None:
            writer.writerow(known | {"error": row.error})
        for entry in row.statistics:
            own = known | {"statistic": entry.name, "prompts": entry.prompts}
            writer.writerow(own | {"of": "data", "mean": entry.mean, "sd": entry.sd})
            for null in entry.nulls:
                values = null.to_dict()
                writer.writerow(own | {"of": values.pop("null")} | values)
    return text.getvalue()


def json_of(rows: Iterable[Row]) -> str:
    """Return the rows as a list of objects, which :meth:`Row.load_all` reads."""
    return json.dumps([row.to_dict() for row in rows], ensure_ascii=False, indent=1) + "\n"
