"""The exact kernels against brute force in float64: equal to the last bit."""

import numpy as np
import pytest
import torch
from gpu_oracle import brute_force, clouds, euclidean, two_deltas

from embgeom.delta.gpu.fixed_base import fixed_base
from embgeom.delta.gpu.four_point import four_point
from embgeom.delta.gpu.prompts import fixed_base_batch
from embgeom.delta.gpu.search import Tiling, _Search
from embgeom.errors import PointsError

# Small enough for several tiles and remainders among a dozen points.
SMALL = Tiling(rows=4, cols=8, unroll=2, settle_warps=1)
NAMES = list(clouds(4))


def on(distances, device):
    return torch.from_numpy(np.ascontiguousarray(distances)).to(device)


def check(found, distances, expected):
    assert len(set(found.witness)) == 4
    assert found.two_delta == expected
    assert two_deltas(distances, np.array([found.witness]))[0] == expected


@pytest.mark.parametrize("name", NAMES)
def test_four_point_is_brute_force(name, device):
    distances = clouds(12)[name]
    check(four_point(on(distances, device), tiling=SMALL), distances, brute_force(distances))


@pytest.mark.parametrize("n", [4, 5, 8, 9, 10, 17])
def test_four_point_at_the_edges_of_tiles(n, device):
    distances = clouds(n, seed=n)["normal"]
    check(four_point(on(distances, device), tiling=SMALL), distances, brute_force(distances))


@pytest.mark.parametrize("name", NAMES)
def test_fixed_base_is_brute_force(name, device):
    distances = clouds(15, seed=3)[name]
    check(fixed_base(on(distances, device), 7, tiling=SMALL), distances, brute_force(distances, 7))


@pytest.mark.parametrize("n", [4, 8, 9, 10, 17, 24])
def test_fixed_base_at_the_edges_of_tiles(n, device):
    distances = clouds(n, seed=n)["normal"]
    for base in (0, n - 1):
        found = fixed_base(on(distances, device), base, tiling=SMALL)
        assert found.witness[0] == base
        check(found, distances, brute_force(distances, base))


def test_the_default_tiling(device):
    distances = clouds(20, seed=1)["normal"]
    found = four_point(on(distances, device))
    check(found, distances, brute_force(distances))
    # Where nothing ties, next to nothing is left for float64.
    assert 1 <= found.work["settled tiles"] <= 4
    distances = clouds(40, seed=1)["normal"]
    check(fixed_base(on(distances, device), 5), distances, brute_force(distances, 5))


def test_small_launches_change_nothing_but_the_progress(device):
    distances = clouds(15)["near tree"]
    seen = []
    options = {"tiling": SMALL, "chunk_steps": 4000.0, "on_progress": seen.append}
    for search, expected in (
        (lambda: four_point(on(distances, device), **options), brute_force(distances)),
        (lambda: fixed_base(on(distances, device), 2, **options), brute_force(distances, 2)),
    ):
        seen.clear()
        check(search(), distances, expected)
        assert len(set(seen)) > 3
        assert seen == sorted(seen)
        assert seen[-1] == pytest.approx(1.0)


def test_what_the_progress_callback_raises_stops_the_search(device):
    def stop(fraction):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fixed_base(on(clouds(12)["normal"], device), 0, tiling=SMALL, on_progress=stop)


def test_exact_ties_are_settled_once(device):
    # Integers are exact in float32: nothing but the first of the tied tiles needs float64.
    work = fixed_base(on(clouds(24)["ring"], device), 0, tiling=SMALL).work
    assert work["settled tiles"] <= 1 < work["screened tiles"]


@pytest.mark.parametrize("world_size", [2, 3, 20])
def test_shares_of_the_bases_add_up(world_size, device):
    distances = clouds(11)["normal"]
    shares = [four_point(on(distances, device), rank=r, world_size=world_size, tiling=SMALL) for r in range(world_size)]
    assert max(found.two_delta for found in shares) == brute_force(distances)
    assert sum(found.work["quadruples"] for found in shares) == 330
    for found in shares:
        check(found, distances, found.two_delta)


@pytest.mark.parametrize("seed", range(3))
def test_the_screen_errs_no_more_than_its_bound(seed, device):
    rng = np.random.default_rng(seed)
    n, base = 18, 15 + seed  # odd and even: the last pass over the third points reaches the base, and beyond, or not
    noise = rng.random((n, n)) if seed == 0 else rng.choice([0.0, 1 / 3, 1 - 2e-8, 2e-8, rng.random()], size=(n, n))
    distances = np.triu(noise, 1) + np.triu(noise, 1).T
    if seed == 2:
        # Far from a metric: every product is negative, so that the base as its own third point, 0, would stand out.
        distances = 0.5 + distances / 2
        distances[base] = distances[:, base] = 0.01 * rng.random(n)
        np.fill_diagonal(distances, 0)
    state = _Search(on(distances[None], device), np.array([[0, base]]), SMALL, 1e12, None)
    peaks = state._screen(0, 1, 0, len(state.tiles))[0].double().cpu().numpy()
    wide = (distances * float(state.scale[0])).astype(np.longdouble)
    products = wide[base][:, None] + wide[base] - wide
    products = products[:base, :base]
    gaps = np.minimum(products[:, None], products[None]).max(-1) - products
    for peak, (row, col) in zip(peaks, state.tiles.tolist(), strict=True):
        inside = np.zeros_like(gaps, dtype=bool)
        inside[row * 4 : row * 4 + 4, col * 8 : col * 8 + 8] = True
        inside &= np.triu(np.ones_like(inside), 1)
        if inside.any():
            # Where no third point is left but the pair's own, both are below 0 or at it.
            assert abs(peak - float(gaps[inside].max())) <= float(state.error[0])
        else:
            assert peak <= -8 + 1e-6


def test_prompts_are_brute_force_each(device):
    lengths = [13, 4, 9, 17, 1, 2, 3, 5, 8]
    batch = np.full((len(lengths), 18, 18), np.nan)  # what lies beyond a prompt is not looked at
    kinds = ["normal", "integers", "tree", "huge", "normal", "normal", "normal", "tiny", "duplicates"]
    for prompt, (length, kind) in enumerate(zip(lengths, kinds, strict=True)):
        batch[prompt, :length, :length] = clouds(17, seed=prompt)[kind][:length, :length]
    two_delta, witness = fixed_base_batch(on(batch, device), torch.tensor(lengths), tiling=SMALL)
    assert two_delta.dtype == torch.float64
    for prompt, length in enumerate(lengths):
        distances, points = batch[prompt, :length, :length], witness[prompt].cpu().numpy()
        assert points[0] == 0
        assert points.max() < length
        assert two_deltas(distances, points[None])[0] == float(two_delta[prompt])
        assert float(two_delta[prompt]) == (brute_force(distances, 0) if length > 3 else 0.0)


def test_prompts_padded_with_their_base_point(device):
    points = np.random.default_rng(5).normal(size=(4, 12, 3))
    points[2, 7:] = points[2, 0]
    batch = np.stack([euclidean(cloud) for cloud in points])
    two_delta, _ = fixed_base_batch(on(batch, device), tiling=SMALL)
    assert two_delta.tolist() == [brute_force(distances, 0) for distances in batch]
    assert float(two_delta[2]) == pytest.approx(brute_force(batch[2, :7, :7], 0), rel=1e-14)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_distances_that_are_none(wrong, device):
    distances = clouds(6)["normal"]
    distances[2, 4] = distances[4, 2] = wrong
    with pytest.raises(PointsError, match="finite distances"):
        fixed_base(on(distances, device), 0)


def test_wrong_shapes_and_types(device):
    distances = on(clouds(6)["normal"], device)
    with pytest.raises(PointsError, match="float64"):
        four_point(distances.float())
    with pytest.raises(PointsError, match="at least 4"):
        four_point(distances[:3, :3])
    with pytest.raises(PointsError, match="square"):
        four_point(distances[:4])
    with pytest.raises(PointsError, match="lengths"):
        fixed_base_batch(distances[None], torch.tensor([7]))
