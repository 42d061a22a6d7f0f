"""The same numbers faster: one pass over the tokens in place of dozens.

:mod:`hyplora.kernels.cpu` is compiled by numba, :mod:`hyplora.kernels.gpu` by Triton. Both offer what
:mod:`hyplora._forms` offers, under the same names; that module is what they are held against, and what runs where they
do not: for factors in float64, inside ``torch.compile``, which makes one pass of it by itself, and elsewhere. Where
:mod:`hyplora.kernels.cpu` makes the products too, ``torch.compile`` takes the map as it is (:mod:`hyplora._operators`).
"""

from __future__ import annotations
