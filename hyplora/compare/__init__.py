"""Comparison: ``python -m hyplora.compare``, and :func:`hyplora.compare.compare` from Python.

Names load when first used.

What makes it fair:

- every contender learns from the same records, for the same number of steps of the same size, by the same code
  (:mod:`hyplora.train`'s, LoRA too), with as many trained parameters: HypLoRA's K and norm scale, at most two numbers
  per layer, are the only surplus that is let through;
- with the same seed, every contender gets the records in the same order and starts from the same A (B is 0), so seeds
  are pairs; both are checked, not assumed;
- how strong an adapter is at first depends on the method: HypLoRA divides by about √d, where LoRA of the same alpha
  does not. So it is not alpha that is held equal: learning rate and alpha are *both* tuned, for every contender from
  the same short lists. By default the alphas are 2r, which is customary for LoRA, and √d times that, which gives
  HypLoRA about the strength that LoRA has with 2r;
- they are tuned on other records than those that the result is of, and with a seed of their own: neither what is
  reported nor the runs that it is reported of had a part in the choice.

Seeds vary the order of the records and the start of A. What a test over seeds says is of these, with this model, these
records and these lists.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
