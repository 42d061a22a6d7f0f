"""Whether frequent tokens have smaller norms, in one sentence that says no more than the intervals do."""

from __future__ import annotations

from embgeom.norms.records import RankCorrelation

__all__ = ["correlation_text", "verdict"]

_WEAK = 0.1


def verdict(overall: RankCorrelation, within: RankCorrelation, *, confidence: float, classes: int) -> str:
    """Say what the overall ρ tells, and whether ρ within the classes (of which ``classes`` were seen) tells the same.

    Parameters
    ----------
    overall, within : RankCorrelation
    confidence : float
        The level of their intervals.
    classes : int
    """
    if overall.rho is None:
        return f"Whether frequent tokens have smaller norms here cannot be told: {overall.reason}."
    level = f", {100 * confidence:g} % interval"
    said = f"Spearman ρ = {correlation_text(overall, level)} over {overall.types} token types"
    if overall.interval is None:
        return f"Whether frequent tokens have smaller norms here cannot be told: {said}, too few for an interval."
    direction = _direction(overall)
    if direction == 0:
        first = f"Whether frequent tokens have smaller or larger norms here cannot be told: {said}, which holds 0"
    else:
        weak = ", but only slightly" if abs(overall.rho) < _WEAK else ""
        first = f"Frequent tokens have {_size(direction)} norms here{weak}: {said}"
    if classes < 2 or within.interval is None:
        return first + "."
    return f"{first}; {_beside(direction, _direction(within))} (ρ = {correlation_text(within)})."


def correlation_text(correlation: RankCorrelation, level: str = "") -> str:
    """Return ρ with its interval, as tables and sentences show it."""
    if correlation.rho is None:
        return "–"
    if correlation.interval is None:
        return f"{_signed(correlation.rho)}"
    low, high = map(_signed, correlation.interval)
    return f"{_signed(correlation.rho)}{level} [{low}, {high}]"


def _signed(value: float) -> str:
    """Return a value with a minus sign as long as a digit, never −0.000."""
    return f"{value:z.3f}".replace("-", "−")


def _direction(correlation: RankCorrelation) -> int:
    low, high = correlation.interval or (0.0, 0.0)
    return -1 if high < 0 else 1 if low > 0 else 0


def _size(direction: int) -> str:
    return "smaller" if direction < 0 else "larger"


def _beside(overall: int, within: int) -> str:
    if within == 0:
        return "within the token classes no trend can be told" + (
            ", so that it may come from how the classes differ" if overall else " either"
        )
    if within == overall:
        return "the same holds within the token classes"
    if overall == 0:
        return f"within the token classes frequent tokens have {_size(within)} norms, which their differences hide"
    return (
        f"within the token classes frequent tokens have {_size(within)} norms, so that the trend over all comes from "
        "how the classes differ"
    )
