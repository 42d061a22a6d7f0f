"""Contenders run in turn, A B C A B C …, so that a busy machine slows all alike; medians, and checked values."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from embgeom.results import Record

__all__ = ["Contender", "Entry", "Forecast", "Run", "entries_of", "race"]


@dataclass(frozen=True)
class Contender:
    """Something to time.

    Attributes
    ----------
    name : str
    work : callable
        Does it, and returns its value (δ, a mean).
    kind : str
        What the value is: "exact", or in what respect it is not.
    tolerance : float or None
        How far the value may be from ours, as a share of the diameter; None if it need only be no larger.
    units : float
        How much is done in one call; times are per unit.
    growth : int
        Time grows as this power of n.
    """

    name: str
    work: Callable[[], float]
    kind: str = "exact"
    tolerance: float | None = 1e-9
    units: float = 1.0
    growth: int = 3


@dataclass
class Run:
    """The times and the values of a contender so far; the time of a quick first call is not among them."""

    seconds: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Median time of a call."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Entry(Record):
    """One contender on one input.

    Attributes
    ----------
    section, cloud, n, contender : where it belongs
    kind : str
        What its value is.
    seconds : float
        Median, per unit of work.
    fastest : float
        The least of them: what is left of them on a machine that others use.
    repeats : int
    ratio : float
        Its time over ours.
    value : float
        Median of the values.
    agreement : float
        Value over the reference (ours, or the exact value).
    error : float
        How far the two are apart, as a share of the diameter.
    right : bool
        Whether that is within its tolerance.
    """

    section: str
    cloud: str
    n: int
    contender: str
    kind: str
    seconds: float
    fastest: float
    repeats: int
    ratio: float
    value: float
    agreement: float
    error: float
    right: bool


class Forecast:
    """What a contender will take at a larger n, from what it took at the last one."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._last: dict[tuple[str, str], tuple[int, float]] = {}

    def allows(self, section: str, contender: Contender, n: int) -> bool:
        """Return whether a call is expected to take no longer than the limit."""
        if (section, contender.name) not in self._last:
            return True
        before, seconds = self._last[section, contender.name]
        return seconds * (n / before) ** contender.growth <= self._limit

    def learn(self, section: str, contender: Contender, n: int, seconds: float) -> None:
        """Note what a call took."""
        before, known = self._last.get((section, contender.name), (n, 0.0))
        # Of two inputs of one size the slower counts; one that was expected to take too long stays out.
        self._last[section, contender.name] = (n, max(known, seconds) if n == before else seconds)


def race(contenders: Sequence[Contender], *, share: float, most: int, long: float = 1.0) -> dict[str, Run]:
    """Run the contenders in turn until each has had its share.

    Parameters
    ----------
    contenders
    share
        Seconds after which a contender drops out, if it has been timed three times.
    most
        Times after which it drops out anyway.
    long
        The first call of each warms it up and is not timed, unless it takes this many seconds.
    """
    runs = {contender.name: Run() for contender in contenders}
    running = list(contenders)
    first = True
    while running:
        for contender in running:
            run = runs[contender.name]
            start = time.perf_counter()
            value = contender.work()
            seconds = time.perf_counter() - start
            run.values.append(value)
            if not first or seconds >= long:
                run.seconds.append(seconds)
        first = False
        running = [contender for contender in running if not _done(runs[contender.name], share, most)]
    return runs


def _done(run: Run, share: float, most: int) -> bool:
    spent = sum(run.seconds)
    # What takes longer than its whole share in one call is not repeated.
    enough = 1 if spent > 2 * share else 3
    return len(run.seconds) >= most or (len(run.seconds) >= enough and spent >= share)


def entries_of(
    section: str,
    cloud: str,
    n: int,
    contenders: Sequence[Contender],
    runs: dict[str, Run],
    *,
    ours: str,
    diameter: float,
    reference: float | None = None,
) -> list[Entry]:
    """Compare each contender with ``ours``, and its value with ``reference`` (by default that of ours)."""
    own = runs[ours]
    own_units = next(contender.units for contender in contenders if contender.name == ours)
    expected = statistics.median(own.values) if reference is None else reference
    entries = []
    for contender in contenders:
        run = runs[contender.name]
        value = statistics.median(run.values)
        far = (value - expected) / diameter
        # All values count: a contender that is wrong once is wrong.
        worst = max(run.values, key=lambda each: each - expected)
        over = (worst - expected) / diameter
        right = over <= 1e-9 if contender.tolerance is None else abs(far) <= contender.tolerance
        entries.append(
            Entry(
                section=section,
                cloud=cloud,
                n=n,
                contender=contender.name,
                kind=contender.kind,
                seconds=run.median / contender.units,
                fastest=min(run.seconds) / contender.units,
                repeats=len(run.seconds),
                ratio=run.median / contender.units / (own.median / own_units),
                value=value,
                agreement=value / expected if expected else 1.0,
                error=abs(far),
                right=right,
            )
        )
    return entries
