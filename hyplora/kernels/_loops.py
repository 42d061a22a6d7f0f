"""Loops over tokens, compiled by numba: in one pass what :mod:`hyplora._forms` does in dozens.

Notation and formulas are those of :mod:`hyplora._forms`. NumPy has no bfloat16; an array of it here is one of its bits,
uint16. Sums over the rank are in the dtype of BᵀB, as there, and a token's own numbers in float64. All hyperbolic
functions of θ come from one e^2θ - 1, those of ψ from e^μ p; where e^2θ would leave its range, μ itself takes the place
of e^μ.

Each takes what :func:`hyplora.kernels._team.team` returns and shares its tokens, or rows, out in parts. Where parts
have sums, how many there are depends on nothing but the shapes, and theirs are added in their order, whoever did them:
results are the same for any number of threads.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload
from numba.extending import register_jitable as _part

from hyplora.kernels._team import share

__all__ = ["SIMPLIFIED", "SPACE", "TIME", "add_multiples", "backward", "forward", "gram", "norms"]

SPACE, TIME, SIMPLIFIED = range(3)

_LN2 = math.log(2.0)
_FAR = 345.0  # e^2θ is a number up to here; beyond, tanh θ and coth θ are 1 and sech² θ is 0
_NEAR = 1e-8  # sinh θ / θ and tanh θ / θ are 1 up to here
_UPPER = np.uint32(0xFFFF0000)
_ROWS = 256  # of B at a time, whose columns a core's first cache holds
_TOKENS = 32  # of a part, at least
_NUMBERS = 2**17  # of a part of tokens, at least
_PARTS = 64  # at most
_SUMS = 2**18  # numbers at most, in the sums of all parts


def _compiled(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile when first called, without the GIL, and keep the result on disk where there is a place for it."""
    if function is None:
        return lambda decorated: _compiled(decorated, **options)
    options = {"nogil": True, "error_model": "numpy", **options}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder that it may write to
        return njit(**options)(function)


def _inner(**options: Any) -> Any:
    """Compile for :func:`hyplora.kernels._team.share`, as part of what calls it."""
    return njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)


@_part
def _bounds(part, parts, count):
    """Return the first of a part, and the first that is of it no more."""
    return part * count // parts, (part + 1) * count // parts


@_part
def _parts(count, least, width):
    """Return how many parts there are, at least so much each, where each has a sum (width, width)."""
    return min(_PARTS, -(-count // least), max(1, _SUMS // (width * width)))


@_compiled
def forward(form, u, norm, column, gram, K, c, scaling, size, most, weighted, entry, threads):
    """Write scaling · size · g h of every token to ``weighted`` (N, r) or (N, r + 1).

    ``u`` (N, r) and ``weighted`` are float32 or bfloat16, ``norm`` (N,) and ``column`` (r,) float32, the last empty but
    in the form ``time``. Where p = 0, e^μ stops at most / (1 + s ‖h‖).
    """
    parts = _parts(u.shape[0], _TOKENS, 1)
    given = (parts, form, u, norm, column, gram, K, c, scaling, size, most, weighted)
    share(_forward, given, parts, entry, threads)


# Contracting a product and a sum into one rounding lets the loops over the rank run at full speed.
@_inner(fastmath={"contract"})
def _forward(part, parts, form, u, norm, column, gram, K, c, scaling, size, most, weighted):
    # Threads that count references to one array, as calls with it do, wait for each other, token by token.
    column = column.copy()
    time = int(form == TIME)
    s = math.sqrt(K)
    R = c * s
    h = np.empty(gram.shape[0], gram.dtype)
    product = np.empty(gram.shape[0], gram.dtype)
    for n in range(*_bounds(part, parts, u.shape[0])):
        theta = norm[n] / R
        grown = math.expm1(2.0 * theta)
        for i in range(u.shape[1]):
            h[i + time] = _number(u[n, i])
        if form == TIME:
            _bend(h, column, theta, grown, R)
        square = _square(gram, h, product)
        if form == SIMPLIFIED:
            f = _sphere(norm[n], K, c)
            g = f / (1.0 + s * math.sqrt(f * f * square + K))
        else:
            lift = _lift(form, theta, grown, R)
            if square == 0.0:
                g = s * _stopped(lift, most, s, h)
            else:
                psi, _ = _arsinh(lift, _log_lift(form, theta, R), square)
                g = s * psi / math.sqrt(square)
        scaled = scaling * size * g
        for i in range(h.shape[0]):
            weighted[n, i] = _like(weighted, scaled * h[i])


@_compiled
def backward(upstream, form, u, norm, column, gram, K, c, scaling, size, most,
             weighted, rank, pull, outer, by_column, by_numbers, entry, threads):  # fmt: skip
    """Write what :class:`hyplora._forms.Slopes` has.

    ``upstream`` is like ``weighted``, ``rank`` like ``u``, ``pull`` like ``norm``, ``outer`` and ``by_column`` like
    ``gram`` and ``column``; ``by_numbers`` takes the derivatives by log K and log c, float64. The other
    parameters are those of :func:`forward`.
    """
    parts = _parts(u.shape[0], _TOKENS, max(1, gram.shape[0]))
    outers = np.empty((parts, *outer.shape), outer.dtype)
    columns = np.empty((parts, by_column.shape[0]), by_column.dtype)
    numbers = np.empty((parts, 2))
    given = (parts, upstream, form, u, norm, column, gram, K, c, scaling, size, most,
             weighted, rank, pull, outers, columns, numbers)  # fmt: skip
    share(_backward, given, parts, entry, threads)
    outer[:] = 0.0
    by_column[:] = 0.0
    by_numbers[:] = 0.0
    for part in range(parts):
        outer += outers[part]
        by_column += columns[part]
        by_numbers += numbers[part]


@_inner(fastmath={"contract"})
def _backward(part, parts, upstream, form, u, norm, column, gram, K, c, scaling, size, most,
              weighted, rank, pull, outers, columns, numbers):  # fmt: skip
    outer = outers[part]
    by_column = columns[part]
    column = column.copy()  # see above
    time = int(form == TIME)
    s = math.sqrt(K)
    R = c * s
    width = gram.shape[0]
    h = np.empty(width, gram.dtype)
    product = np.empty(width, gram.dtype)
    up = np.empty(width, gram.dtype)
    by_h = np.empty(width, gram.dtype)
    term = np.empty(width, gram.dtype)
    outer[:] = 0.0
    by_column[:] = 0.0
    log_curvature = 0.0
    log_scale = 0.0
    for n in range(*_bounds(part, parts, u.shape[0])):
        theta = norm[n] / R
        grown = math.expm1(2.0 * theta)
        for i in range(u.shape[1]):
            h[i + time] = _number(u[n, i])
        if form == TIME:
            _bend(h, column, theta, grown, R)
        square = _square(gram, h, product)
        for i in range(width):
            up[i] = _number(upstream[n, i])
        along = _dot(up, h)
        if form == SIMPLIFIED:
            total = c * c + K * norm[n] * norm[n]
            f = 2.0 * c / total
            root = math.sqrt(f * f * square + K)
            denominator = 1.0 + s * root
            g = f / denominator
            loss = along * scaling * g
            by_square = -loss * s * f * f / (root * denominator)
            by_f = loss * (1.0 - s * f * f * square / (root * denominator))
            fall = K / total
            log_curvature += -by_f * fall * norm[n] * norm[n] - 0.5 * loss * (s * root + K * s / root) / denominator
            log_scale += by_f * (1.0 - 2.0 * c * c / total)
            pull[n] = -2.0 * by_f * fall
        else:
            lift = _lift(form, theta, grown, R)
            if square == 0.0:
                psi = 0.0
                v = 1 / 3
                g = s * _stopped(lift, most, s, h)
            else:
                psi, coth = _arsinh(lift, _log_lift(form, theta, R), square)
                v = _xcothx(psi, coth)
                g = s * psi / math.sqrt(square)
            loss = along * scaling * g
            by_mu = loss / (1.0 + v * psi * psi)
            by_square = -by_mu * v * (g / s) * (g / s)
        scaled = scaling * g
        for i in range(width):
            weighted[n, i] = _like(weighted, size * scaled * h[i])
            by_h[i] = scaled * up[i] + by_square * product[i]
            term[i] = by_square * h[i]
        for i in range(width):
            for j in range(width):
                outer[i, j] += term[i] * h[j]
        if form == TIME:
            b, sech2 = _slope_of_tanh(theta, grown)
            over_time = by_h[0] / h[0]
            for i in range(u.shape[1]):
                by_point = by_h[i + 1] + over_time * h[i + 1]
                up[i] = _number(u[n, i])
                term[i] = by_point
                by_column[i] += by_point
                rank[n, i] = _like(rank, by_point * (b / R))
            by_b = _dot(term[:-1], up[:-1]) * b / R
            inflow = (by_mu - over_time * sech2) * b - by_b * _over_sinhc(theta, grown)
            slope = -inflow * theta * theta - by_b
            log_scale += slope
            log_curvature += 0.5 * (slope + loss)
            pull[n] = inflow / (R * R)
        else:
            for i in range(width):
                rank[n, i] = _like(rank, by_h[i])
        if form == SPACE:
            v_theta = _xcothx(theta, 1.0 + 2.0 / grown)
            inflow = by_mu * v_theta * theta * theta
            log_scale -= inflow + by_mu
            log_curvature += 0.5 * (by_mu * v * psi * psi - inflow)
            pull[n] = by_mu * v_theta / (R * R)
    numbers[part, 0] = log_curvature
    numbers[part, 1] = log_scale


@_part
def _bend(h, column, theta, grown, R):
    """Make h of a token, in the form ``time``, of u in its space coordinates."""
    b, sech2 = _slope_of_tanh(theta, grown)
    b /= R
    for i in range(column.shape[0]):
        h[i + 1] = column[i] + b * h[i + 1]
    h[0] = math.sqrt(_dot(h[1:], h[1:]) + sech2)


@_part(fastmath={"contract"})
def _square(gram, h, product):
    """Return p² and write BᵀB h."""
    width = h.shape[0]
    product[:] = 0.0
    whole = width - width % 4
    for j in range(0, whole, 4):  # four at a time: the sums go to memory and back a quarter as often
        a, b, c, d = h[j], h[j + 1], h[j + 2], h[j + 3]
        for i in range(width):
            product[i] += gram[j, i] * a + gram[j + 1, i] * b + gram[j + 2, i] * c + gram[j + 3, i] * d
    for j in range(whole, width):
        for i in range(width):
            product[i] += gram[j, i] * h[j]
    return abs(_dot(product, h))


@_part(fastmath={"reassoc", "contract"})
def _dot(a, b):
    total = a.dtype.type(0)
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@_part
def _stopped(lift, most, s, h):
    """Return e^μ where p = 0."""
    total = 0.0
    for i in range(h.shape[0]):
        total += np.float64(h[i]) * np.float64(h[i])
    most /= 1.0 + s * math.sqrt(total)
    return most if lift > most else lift


@_part
def _sphere(norm, K, c):
    return 2.0 * c / (c * c + K * norm * norm)


@_part
def _lift(form, theta, grown, R):
    """Return e^μ; infinity where it might leave its range."""
    if theta > _FAR:
        return math.inf
    root = math.sqrt(1.0 + grown)  # e^θ
    if form == TIME:
        return (grown + 2.0) / (2.0 * root)
    return 1.0 / R if theta < _NEAR else grown / (2.0 * root * theta * R)


@_part
def _log_lift(form, theta, R):
    """Return μ for large θ."""
    mu = theta - _LN2
    return mu if form == TIME else mu - math.log(theta * R)


@_part
def _arsinh(lift, log_lift, square):
    """Return ψ = arsinh(e^μ p) and coth ψ."""
    if lift == math.inf:
        sigma = log_lift + 0.5 * math.log(square)
        if sigma > 20.0:
            return sigma + _LN2, 1.0
        lift, square = math.exp(sigma), 1.0
    rho = lift * math.sqrt(square)
    return math.asinh(rho), math.sqrt(1.0 + 1.0 / (rho * rho))


@_part
def _slope_of_tanh(theta, grown):
    """Return tanh θ / θ and sech² θ."""
    if theta > _FAR:
        return 1.0 / theta, 0.0
    tanhc = 1.0 if theta < _NEAR else grown / ((grown + 2.0) * theta)
    return tanhc, 4.0 * (1.0 + grown) / ((grown + 2.0) * (grown + 2.0))


@_part
def _xcothx(z, coth):
    """Return (z coth z - 1) / z²; 1/3 at 0."""
    if z < 0.12:
        q = z * z
        return 1 / 3 + q * (-1 / 45 + q * (2 / 945 + q * (-1 / 4725 + q * (2 / 93555 - q * (1382 / 638512875)))))
    return (z * coth - 1.0) / (z * z)


@_part
def _over_sinhc(z, grown):
    """Return (1 - 2z / sinh 2z) / z²; 2/3 at 0."""
    if z > _FAR:
        return 1.0 / (z * z)
    if z < 0.06:
        q = 4.0 * z * z
        tail = -127 / 604800 + q * (73 / 3421440 - q * (1414477 / 653837184000))
        return 4.0 * (1 / 6 + q * (-7 / 360 + q * (31 / 15120 + q * tail)))
    return (1.0 - 4.0 * z * (1.0 + grown) / (grown * (grown + 2.0))) / (z * z)


@_compiled
def gram(B, room, found, entry, threads):
    """Write BᵀB of ``B`` (k, r) to ``found`` (r, r), the sums in the dtype of that, the diagonal times 1 + ``room``."""
    parts = _parts(B.shape[0], 4 * _ROWS, max(1, B.shape[1]))
    sums = np.empty((parts, *found.shape), found.dtype)
    share(_gram, (parts, B, sums), parts, entry, threads)
    found[:] = 0.0
    for part in range(parts):
        found += sums[part]
    for i in range(found.shape[0]):
        found[i, i] *= 1.0 + room


@_inner(fastmath={"reassoc", "contract"})
def _gram(part, parts, B, found):
    r = B.shape[1]
    width = r + -r % 4
    begin, end = _bounds(part, parts, B.shape[0])
    # Columns side by side: eight sums over one index at a time leave nothing to store on the way. A row's length is no
    # power of two, or all would want the same place in the cache.
    columns = np.zeros((width, _ROWS + 8), found.dtype)
    sums = np.zeros((width, width), found.dtype)
    for first in range(begin, end, _ROWS):
        count = min(_ROWS, end - first)
        for m in range(count):
            for i in range(r):
                columns[i, m] = _number(B[first + m, i])
        for i in range(0, width, 2):
            x, y = columns[i], columns[i + 1]
            for j in range(i - i % 4, width, 4):
                p, q, s, t = columns[j], columns[j + 1], columns[j + 2], columns[j + 3]
                xp = xq = xs = xt = yp = yq = ys = yt = found.dtype.type(0)
                for m in range(count):
                    xp += x[m] * p[m]
                    xq += x[m] * q[m]
                    xs += x[m] * s[m]
                    xt += x[m] * t[m]
                    yp += y[m] * p[m]
                    yq += y[m] * q[m]
                    ys += y[m] * s[m]
                    yt += y[m] * t[m]
                sums[i, j] += xp
                sums[i, j + 1] += xq
                sums[i, j + 2] += xs
                sums[i, j + 3] += xt
                sums[i + 1, j] += yp
                sums[i + 1, j + 1] += yq
                sums[i + 1, j + 2] += ys
                sums[i + 1, j + 3] += yt
    for i in range(r):
        for j in range(i, r):
            found[part, i, j] = found[part, j, i] = sums[i, j]


@_compiled
def norms(x, out, entry, threads):
    """Write the norm of each row of ``x``, bfloat16 or float32, to ``out``, float32."""
    parts = max(1, -(-x.size // _NUMBERS))  # also where there is nothing in a row
    share(_norms, (parts, x, out), parts, entry, threads)


@_inner(fastmath={"reassoc", "contract"})
def _norms(part, parts, x, out):
    for n in range(*_bounds(part, parts, x.shape[0])):
        total = np.float32(0.0)
        for i in range(x.shape[1]):
            value = _number(x[n, i])
            total += value * value
        out[n] = math.sqrt(total)


@_compiled
def add_multiples(to, x, numbers, entry, threads):
    """Add to each row of ``to`` that of ``x`` times a number; both pairs of bfloat16 as uint32."""
    parts = -(-x.size // _NUMBERS)
    share(_add_multiples, (parts, to, x, numbers), parts, entry, threads)


@_inner(fastmath={"contract"})
def _add_multiples(part, parts, to, x, numbers):
    for n in range(*_bounds(part, parts, x.shape[0])):
        number = numbers[n]
        if number != number:
            number = np.float32(np.nan)  # one that rounding leaves one
        for i in range(x.shape[1]):
            low = _lower(to[n, i]) + number * _lower(x[n, i])
            high = _upper(to[n, i]) + number * _upper(x[n, i])
            to[n, i] = (_to_nearest(low) >> np.uint32(16)) | (_to_nearest(high) & _UPPER)


@_part
def _lower(pair):
    return np.uint32(pair << np.uint32(16)).view(np.float32)


@_part
def _upper(pair):
    return np.uint32(pair & _UPPER).view(np.float32)


@_part
def _to_nearest(value):
    """Return bits of which the upper half is the nearest bfloat16, of two that are as near the even one."""
    bits = np.float32(value).view(np.uint32)
    return np.uint32(bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))


def _number(x: Any) -> Any:
    """Return the number of an entry."""


@overload(_number)
def _(x):
    return _widened if x == types.uint16 else _same


def _like(array: Any, value: Any) -> Any:
    """Return what to write to an array for the number ``value``."""


@overload(_like)
def _(array, value):
    return _rounded if array.dtype == types.uint16 else _second


def _same(x):
    return x


def _second(array, value):
    return value


def _widened(x):
    return np.uint32(np.uint32(x) << np.uint32(16)).view(np.float32)


def _rounded(array, value):
    return np.uint16(0x7FC0) if value != value else np.uint16(_to_nearest(value) >> np.uint32(16))
