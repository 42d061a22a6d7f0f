"""A demo model and demo texts that need no download: ``--model demo --data demo``.

The model is a Llama of two million weights in :data:`MODEL_DIR`, made by ``python -m embgeom.demo.train``; the texts
are the paragraphs of the language reference that every Python carries (:func:`embgeom.demo.texts.demo_texts`).
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["MODEL_DIR"]

MODEL_DIR: Path = Path(__file__).parent / "model"
"""The folder of the demo model, as ``from_pretrained`` takes it."""
