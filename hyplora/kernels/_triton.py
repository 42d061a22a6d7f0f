"""Triton kernels: what :mod:`hyplora._forms` does between the wide products, in one launch forward and one backward.

Notation and formulas are those of :mod:`hyplora._forms`. Sums over the rank are in the dtype of BᵀB, as there. A
token's own numbers are in float64, of which there are so few that no GPU minds, and made of exp and log alone, which
every backend and the interpreter have. A program takes ``BLOCK`` tokens; ``PAD`` is the power of two next to the width
of h.

Imported only by :mod:`hyplora.kernels.gpu`, at call time, so that the package does not need Triton.
"""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"
# Triton reads the annotations of a kernel itself.

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["EXPONENT", "FIXED", "NUMBER", "SIMPLIFIED", "SPACE", "TIME", "add_multiples", "slopes", "weigh"]

SPACE = tl.constexpr(0)
TIME = tl.constexpr(1)
SIMPLIFIED = tl.constexpr(2)
# What K and c are: a constant, a tensor, or a constant times the exponential of a tensor.
FIXED = tl.constexpr(0)
NUMBER = tl.constexpr(1)
EXPONENT = tl.constexpr(2)

_LN2 = tl.constexpr(0.6931471805599453)
_FAR = tl.constexpr(345.0)  # e^2θ is a number up to here; beyond, tanh θ and coth θ are 1 and sech² θ is 0
_NEAR = tl.constexpr(1e-8)  # sinh θ / θ and tanh θ / θ are 1 up to here


# The number of tokens is not specialised: a kernel for each kind of number would gain nothing.
@triton.jit(do_not_specialize=["tokens"])
def weigh(weighted, u, norm, column, gram, K_tensor, c_tensor, size, tokens,
          K_start: tl.float64, c_start: tl.float64, scaling: tl.float64, most: tl.float64,
          FORM: tl.constexpr, K_KIND: tl.constexpr, c_KIND: tl.constexpr, HALF: tl.constexpr,
          RANK: tl.constexpr, PAD: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """Write scaling · size · g h of every token, (N, RANK) or (N, RANK + 1). ``size`` is read where ``HALF`` is set."""
    s, R = _numbers(K_tensor, K_start, K_KIND, c_tensor, c_start, c_KIND)
    row = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    h, square, _product, length, theta, grown = _hidden(u, norm, column, gram, row, tokens, R, FORM, RANK, PAD, BLOCK)
    g, _psi, _v, _f = _gain(square, length, theta, grown, s, R, most, FORM)
    factor = scaling * g
    if HALF:
        factor *= tl.load(size)
    _write(weighted, factor.to(h.dtype)[:, None] * h, row, tokens, RANK, 0, FORM, PAD)


@triton.jit(do_not_specialize=["tokens"])
def slopes(weighted, rank, pull, part, hidden, by_point, by_numbers,
           upstream, u, norm, column, gram, K_tensor, c_tensor, size, tokens,
           K_start: tl.float64, c_start: tl.float64, scaling: tl.float64, most: tl.float64,
           FORM: tl.constexpr, K_KIND: tl.constexpr, c_KIND: tl.constexpr, HALF: tl.constexpr,
           RANK: tl.constexpr, PAD: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """Write what :class:`hyplora._forms.Slopes` has, the sums over tokens as their terms.

    ``part``ᵀ ``hidden`` is ``outer``, both like ``weighted`` but of the dtype of ``gram``; the rows of ``by_point``,
    like ``rank`` but of that dtype, sum to ``column``, in the form ``time``; those of ``by_numbers`` (2, N), float64,
    to the derivatives by log K and log c.
    """
    s, R = _numbers(K_tensor, K_start, K_KIND, c_tensor, c_start, c_KIND)
    row = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = row < tokens
    h, square, product, length, theta, grown = _hidden(u, norm, column, gram, row, tokens, R, FORM, RANK, PAD, BLOCK)
    g, psi, v, f = _gain(square, length, theta, grown, s, R, most, FORM)
    wide = h.dtype
    scaled = scaling * g
    up = _read(upstream, row, tokens, RANK, 0, FORM, PAD).to(wide)
    loss = tl.sum(up * h, axis=1).to(tl.float64) * scaled
    if FORM == SIMPLIFIED:
        K = s * s
        c = R / s
        root = tl.sqrt(f * f * square + K)
        bottom = root * (1.0 + s * root)
        by_square = -loss * s * f * f / bottom
        by_f = loss * (1.0 - s * f * f * square / bottom)
        fall = 0.5 * K * f / c  # K / (c² + K ‖x‖²)
        long = theta * R
        by_K = -by_f * fall * long * long - 0.5 * loss * (s * root + K * s / root) / (1.0 + s * root)
        by_c = by_f * (1.0 - c * f)
        by_norm = -2.0 * by_f * fall
    else:
        by_mu = loss / (1.0 + v * psi * psi)
        by_square = -by_mu * v * (g / s) * (g / s)
    by_h = scaled.to(wide)[:, None] * up + by_square.to(wide)[:, None] * product
    _write(part, by_square.to(wide)[:, None] * h, row, tokens, RANK, 0, FORM, PAD)
    _write(hidden, h, row, tokens, RANK, 0, FORM, PAD)
    if HALF:
        scaled *= tl.load(size)
    _write(weighted, scaled.to(wide)[:, None] * h, row, tokens, RANK, 0, FORM, PAD)
    if FORM == SPACE:
        v_theta = _xcothx(theta, 1.0 + 2.0 / grown)
        by_norm = by_mu * v_theta / (R * R)
        inflow = by_mu * v_theta * theta * theta
        by_c = -inflow - by_mu
        by_K = 0.5 * (by_mu * v * psi * psi - inflow)
    if FORM == TIME:
        first = tl.arange(0, PAD)[None, :] == 0
        tanhc, sech2 = _slope_of_tanh(theta, grown)
        b = tanhc / R
        over_time = tl.sum(tl.where(first, by_h, 0.0), axis=1) / tl.sum(tl.where(first, h, 0.0), axis=1)
        by_h = tl.where(first, 0.0, by_h + over_time[:, None] * h)
        _write(by_point, by_h, row, tokens, RANK, 1, FORM, PAD)
        x = _read(u, row, tokens, RANK, 1, FORM, PAD).to(wide)
        by_b = tl.sum(by_h * x, axis=1).to(tl.float64) * b
        by_h = b.to(wide)[:, None] * by_h
        inflow = (by_mu - over_time.to(tl.float64) * sech2) * tanhc - by_b * _over_sinhc(theta, grown)
        by_norm = inflow / (R * R)
        by_c = -inflow * theta * theta - by_b
        by_K = 0.5 * (by_c + loss)
    _write(rank, by_h, row, tokens, RANK, 1, FORM, PAD)
    tl.store(pull + row, by_norm, mask=inside)
    tl.store(by_numbers + row, by_K, mask=inside)
    tl.store(by_numbers + tokens + row, by_c, mask=inside)


@triton.jit
def add_multiples(to, x, numbers, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Add to each row of ``to`` (N, WIDTH) that of ``x`` times a number (N,)."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < WIDTH
    number = tl.load(numbers + row).to(tl.float32)
    at = row * WIDTH + column
    sum = tl.load(to + at, mask=inside).to(tl.float32) + number * tl.load(x + at, mask=inside).to(tl.float32)
    tl.store(to + at, sum, mask=inside)


@triton.jit
def _numbers(K_tensor, K_start, K_KIND: tl.constexpr, c_tensor, c_start, c_KIND: tl.constexpr):
    """Return √K and c √K."""
    s = tl.sqrt(_value(K_tensor, K_start, K_KIND))
    return s, s * _value(c_tensor, c_start, c_KIND)


@triton.jit
def _value(tensor, start, KIND: tl.constexpr):
    value = tl.full((), 1.0, tl.float64)
    if KIND == FIXED:
        value *= start  # not start itself, of which the interpreter makes float32
    if KIND == NUMBER:
        value *= tl.load(tensor).to(tl.float64)
    if KIND == EXPONENT:
        value *= start * tl.exp(tl.load(tensor).to(tl.float64))
    return value


@triton.jit
def _at(row, tokens, RANK: tl.constexpr, SPACE_ONLY: tl.constexpr, FORM: tl.constexpr, PAD: tl.constexpr):
    """Return the places of h's entries in a matrix that has all of them, or all but the time; and which there are."""
    column = tl.arange(0, PAD)[None, :]
    width: tl.constexpr = RANK + (FORM == TIME)
    inside = (row[:, None] < tokens) & (column < width)
    if SPACE_ONLY and FORM == TIME:
        return row[:, None] * RANK + column - 1, inside & (column > 0)
    return row[:, None] * width + column, inside


@triton.jit
def _read(matrix, row, tokens, RANK: tl.constexpr, SPACE_ONLY: tl.constexpr, FORM: tl.constexpr, PAD: tl.constexpr):
    at, inside = _at(row, tokens, RANK, SPACE_ONLY, FORM, PAD)
    return tl.load(matrix + at, mask=inside, other=0.0)


@triton.jit
def _write(matrix, values, row, tokens,
           RANK: tl.constexpr, SPACE_ONLY: tl.constexpr, FORM: tl.constexpr, PAD: tl.constexpr):  # fmt: skip
    at, inside = _at(row, tokens, RANK, SPACE_ONLY, FORM, PAD)
    tl.store(matrix + at, values, mask=inside)


@triton.jit
def _hidden(u, norm, column, gram, row, tokens, R,
            FORM: tl.constexpr, RANK: tl.constexpr, PAD: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """Return h, p², BᵀB h, ‖h‖, θ and e^2θ - 1."""
    wide = gram.dtype.element_ty
    inside = row < tokens
    theta = tl.load(norm + row, mask=inside, other=0.0).to(tl.float64) / R
    grown = _expm1(2.0 * tl.where(theta > _FAR, _FAR, theta))
    lane = tl.arange(0, PAD)
    h = _read(u, row, tokens, RANK, 1, FORM, PAD).to(wide)
    product = tl.zeros((BLOCK, PAD), wide)
    width: tl.constexpr = RANK + (FORM == TIME)
    offset: tl.constexpr = width - RANK
    if FORM == TIME:
        tanhc, sech2 = _slope_of_tanh(theta, grown)
        b = (tanhc / R).to(wide)
        a = tl.load(column + lane - 1, mask=(lane > 0) & (lane < width), other=0.0).to(wide)
        h = a[None, :] + b[:, None] * h
        time = tl.sqrt(tl.sum(h * h, axis=1).to(tl.float64) + sech2).to(wide)
        h = tl.where(lane[None, :] == 0, time[:, None], h)
        product += time[:, None] * tl.load(gram + lane, mask=lane < width, other=0.0)[None, :]
    for j in range(RANK):
        # A column of h, from the cache: no matrix unit is asked for float64.
        part = tl.load(u + row * RANK + j, mask=inside, other=0.0).to(wide)
        if FORM == TIME:
            part = tl.load(column + j).to(wide) + b * part
        product += part[:, None] * tl.load(gram + (j + offset) * width + lane, mask=lane < width, other=0.0)[None, :]
    square = tl.abs(tl.sum(h * product, axis=1)).to(tl.float64)
    return h, square, product, tl.sqrt(tl.sum(h * h, axis=1).to(tl.float64)), theta, grown


@triton.jit
def _gain(square, length, theta, grown, s, R, most, FORM: tl.constexpr):
    """Return g, ψ and (ψ coth ψ - 1) / ψ², and in the form ``simplified`` f, of which the others have none."""
    if FORM == SIMPLIFIED:
        c = R / s
        long = theta * R
        f = 2.0 * c / (c * c + s * s * long * long)
        return f / (1.0 + s * tl.sqrt(f * f * square + s * s)), f, f, f
    p = tl.sqrt(square)
    root = tl.sqrt(1.0 + grown)  # e^θ
    if FORM == TIME:
        lift = (grown + 2.0) / (2.0 * root)
        sigma = theta - _LN2 + tl.log(p)
    else:
        lift = tl.where(theta < _NEAR, 1.0 / R, grown / (2.0 * root * theta * R))
        sigma = theta - _LN2 - tl.log(theta * R) + tl.log(p)
    far = theta > _FAR
    rho = tl.where(far, tl.exp(tl.where(sigma > 30.0, 30.0, sigma)), lift * p)
    psi = tl.where(far & (sigma > 20.0), sigma + _LN2, _arsinh(rho))
    v = _xcothx(psi, tl.sqrt(1.0 + 1.0 / (rho * rho)))
    most = most / (1.0 + s * length)
    limit = tl.where(far | (lift > most), most, lift)
    return s * tl.where(square == 0.0, limit, psi / p), psi, v, psi


@triton.jit
def _expm1(x):
    """Return e^x - 1; the rounding of e^x cancels (Kahan)."""
    e = tl.exp(x)
    return tl.where(e == 1.0, x, (e - 1.0) * x / tl.log(e))


@triton.jit
def _arsinh(x):
    # log(1 + t) for t = x + x² / (1 + √(1 + x²)), with the same cancellation; for large x, log 2x.
    few = tl.where(x > 1e8, 1e8, x)
    t = few + few * few / (1.0 + tl.sqrt(1.0 + few * few))
    w = 1.0 + t
    return tl.where(x > 1e8, tl.log(x) + _LN2, tl.where(w == 1.0, t, tl.log(w) * t / (w - 1.0)))


@triton.jit
def _slope_of_tanh(theta, grown):
    """Return tanh θ / θ and sech² θ."""
    far = theta > _FAR
    tanhc = tl.where(theta < _NEAR, 1.0, tl.where(far, 1.0, grown / (grown + 2.0)) / theta)
    return tanhc, tl.where(far, 0.0, 4.0 * (1.0 + grown) / ((grown + 2.0) * (grown + 2.0)))


@triton.jit
def _xcothx(z, coth):
    """Return (z coth z - 1) / z²; 1/3 at 0."""
    q = z * z
    series = 1 / 3 + q * (-1 / 45 + q * (2 / 945 + q * (-1 / 4725 + q * (2 / 93555 - q * (1382 / 638512875)))))
    return tl.where(z < 0.12, series, (z * coth - 1.0) / q)


@triton.jit
def _over_sinhc(z, grown):
    """Return (1 - 2z / sinh 2z) / z²; 2/3 at 0."""
    q = 4.0 * z * z
    tail = -127 / 604800 + q * (73 / 3421440 - q * (1414477 / 653837184000))
    series = 4.0 * (1 / 6 + q * (-7 / 360 + q * (31 / 15120 + q * tail)))
    away = 4.0 * z * (1.0 + grown) / (grown * (grown + 2.0))
    return tl.where(z < 0.06, series, (1.0 - tl.where(z > _FAR, 0.0, away)) / (z * z))
