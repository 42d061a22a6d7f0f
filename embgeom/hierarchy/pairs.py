"""The list of general and specific words that the package carries."""

from __future__ import annotations

from functools import cache
from importlib import resources

__all__ = ["hypernym_pairs"]


@cache
def hypernym_pairs() -> tuple[tuple[str, str], ...]:
    """Return the pairs (hypernym, hyponym) of common English nouns in ``data/hypernyms.yaml``.

    The head of that file tells how the list was made. No word occurs twice, but for a hypernym in its own pairs.
    """
    import yaml

    text = resources.files("embgeom.hierarchy").joinpath("data/hypernyms.yaml").read_text(encoding="utf-8")
    domains = yaml.safe_load(text).values()
    return tuple((general, word) for domain in domains for general, words in domain.items() for word in words)
