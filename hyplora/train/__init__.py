"""Training: ``python -m hyplora.train``, and :func:`hyplora.train.train` from Python. Names load when first used.

Built on transformers' ``Trainer`` and not on TRL's ``SFTTrainer``, which is a ``Trainer`` with three things added:

- it renders and masks conversations. Training and evaluation must render and cut them in the same way, to the token,
  so this project has one module for both (:mod:`hyplora.prompts`), whose token ids ``SFTTrainer`` would only pass on;
- it packs several records into one row. That changes which records share a step, while the runs of the paper, and a
  comparison of methods at equal steps, are counted in records;
- it logs entropy and accuracy per token, which cost a pass over the logits of every batch.

Against that stand defaults of its own (learning rate, bf16, gradient checkpointing) that shift between releases, and a
second set of arguments to keep up with. All that is left, the loop, DDP, FSDP, mixed precision, resumption and
trackers, is the ``Trainer``'s.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
