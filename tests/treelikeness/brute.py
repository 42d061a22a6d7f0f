"""The statistics from their definition, one quadruple after the other."""

from __future__ import annotations

import itertools

import numpy as np


def sums_of(distances: np.ndarray) -> list[tuple[tuple[int, ...], float, float]]:
    """S1 − S2 and S1 − S3 of every quadruple."""
    found = []
    for quadruple in itertools.combinations(range(len(distances)), 4):
        a, b, c, d = quadruple
        low, middle, high = sorted(
            (
                distances[a, b] + distances[c, d],
                distances[a, c] + distances[b, d],
                distances[a, d] + distances[b, c],
            )
        )
        found.append((quadruple, float(high - middle), float(high - low)))
    return found


def brute_force(distances: np.ndarray) -> dict[str, object]:
    distances = np.asarray(distances, dtype=np.float64)
    n = len(distances)
    quadruples = sums_of(distances)
    ratios = [gap / spread if spread > 1e-12 * distances.max() else 0.0 for _, gap, spread in quadruples]
    gaps, spreads = [gap for _, gap, _ in quadruples], [spread for *_, spread in quadruples]
    upper = np.triu_indices(n, 1)
    pairs = distances[upper]
    design = np.zeros((len(pairs), n))
    for row, (i, j) in enumerate(zip(*upper, strict=True)):
        design[row, [i, j]] = 1
    fit = design @ np.linalg.lstsq(design, pairs, rcond=None)[0]
    sd = pairs.std()
    return {
        "mean_q": np.mean(ratios),
        "pooled_q": sum(gaps) / sum(spreads) if sum(spreads) > 0 else 0.0,
        "delta_over_sd": np.mean(gaps) / sd if sd > 1e-12 else 0.0,
        "star_residual": ((pairs - fit) ** 2).mean() / sd**2 if sd > 1e-12 else 0.0,
        "relative_delta": max(gaps) / distances.max(),
        "point_q": [
            np.mean([q for (own, *_), q in zip(quadruples, ratios, strict=True) if p in own]) for p in range(n)
        ],
        "ratios": np.array(ratios),
    }
