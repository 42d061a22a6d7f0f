"""Scores on the demo model, against sums by hand; the parts of the data."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from embgeom.errors import CorpusError
from hyplora.arithmetic import arithmetic_problems
from hyplora.compare import CompareOptions
from hyplora.compare.material import Part, load_material, text_example
from hyplora.compare.scoring import scores_of
from hyplora.evaluate.models import Loaded

TEXTS = ("A statement is a line of code.", "Names refer to objects; they are bound by assignment – always.", "Yes")


def log2_probability(model: Any, ids: list[int], first: int) -> float:
    """One token after the other, each from all before it, unbatched and unpadded."""
    total = 0.0
    for place in range(first, len(ids)):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids[:place]])).logits[0, -1].double()
        total += float(logits[ids[place]] - logits.logsumexp(0)) / math.log(2)
    return total


def test_bits_per_character_by_hand(demo: Loaded) -> None:
    tokenizer = demo.tokenizer
    characters = sum(map(len, TEXTS))
    bits = 0.0
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        whole = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
        bits -= log2_probability(demo.model, whole, 1)
    part = Part(tuple(text_example(text, tokenizer) for text in TEXTS), characters)
    for batch in (1, 2, 3):
        found = scores_of(demo.model, part, demo, batch=batch)
        assert found == {"bits_per_character": pytest.approx(bits / characters, rel=1e-5)}


def test_loss_and_accuracy_of_problems(demo: Loaded, small: Callable[..., CompareOptions]) -> None:
    material = load_material(small(data="arithmetic"), demo.tokenizer, length=256)
    assert (material.metrics, material.tuned_on) == (("accuracy", "loss"), "loss")
    nats, tokens = 0.0, 0
    for example in material.test.examples[:3]:
        ids = example.ids.tolist()
        assert ids[-1] == demo.tokenizer.eos_token_id
        nats -= math.log(2) * log2_probability(demo.model, ids, example.prompt)
        tokens += len(ids) - example.prompt
    part = Part(material.test.examples[:3])
    assert scores_of(demo.model, part, demo, batch=2) == {"loss": pytest.approx(nats / tokens, rel=1e-5)}
    assert material.test.task is not None
    assert [q.record.question for q in material.test.task.questions] == [
        problem["instruction"] for problem in arithmetic_problems("test", len(material.test.task.questions))
    ]


def test_a_tokenizer_without_bos(demo: Loaded) -> None:
    class Without:
        bos_token_id, eos_token_id = None, 7

        def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
            assert not add_special_tokens
            return {"input_ids": [3] * len(text)}

    example = text_example("abc", Without())
    assert example.ids.tolist() == [7, 3, 3, 3, 7]
    assert (example.learned, example.prompt) == (1, 4)


def test_the_parts_have_nothing_in_common(
    demo: Loaded, small: Callable[..., CompareOptions], texts: Path, tmp_path: Path
) -> None:
    doubled = tmp_path / "doubled.txt"
    lines = texts.read_text().splitlines()
    doubled.write_text("\n".join([*lines, "the CAT is in the barn!", *lines[:9], "word " * 200]))
    material = load_material(small(data=str(doubled)), demo.tokenizer, length=40)
    parts = [
        [tuple(e.ids) for e in some] for some in (material.training, *map(_examples, (material.tuning, material.test)))
    ]
    for one in range(3):
        assert parts[one]
        for other in range(one):
            assert not set(parts[one]) & set(parts[other])
    counts = material.counts
    held = counts["learned_from_too"] + counts["too_long"] + counts["tuning"] + counts["test"]
    assert held == round(0.2 * 53)
    assert counts["training"] == 53 - held
    again = load_material(small(data=str(doubled)), demo.tokenizer, length=40)
    assert again.training_identity == material.training_identity
    assert again.test.identity == material.test.identity


def _examples(part: Part) -> Any:
    return part.examples


def test_held_out_texts_that_are_learned_from_or_too_long_are_left_out(
    demo: Loaded, small: Callable[..., CompareOptions], texts: Path, tmp_path: Path
) -> None:
    held = tmp_path / "held.jsonl"
    own = ["A bird sings in the tree.", "Some fish swim.", "Rain falls on the roof.", "word " * 200]
    known = texts.read_text().splitlines()[3]
    held.write_text("\n".join(json.dumps({"text": text}) for text in [*own, known.upper()]))
    material = load_material(small(held_out=str(held)), demo.tokenizer, length=40)
    assert (material.counts["learned_from_too"], material.counts["too_long"]) == (1, 1)
    assert (material.counts["tuning"], material.counts["test"], material.counts["training"]) == (1, 2, 42)
    characters = [material.tuning.characters, material.test.characters]
    assert sum(filter(None, characters)) == sum(map(len, own[:3]))
    held.write_text(json.dumps({"text": known}))
    with pytest.raises(CorpusError, match="0 texts are left to tune and to compare on, of 1 held out: 1 are in the"):
        load_material(small(held_out=str(held)), demo.tokenizer, length=40)


def test_long_training_texts_are_cut(demo: Loaded, small: Callable[..., CompareOptions], tmp_path: Path) -> None:
    file = tmp_path / "long.txt"
    file.write_text("\n".join(f"{word} " * 9 for word in ("one", "two", "red", "blue", "high", "low", "new", "old")))
    held = tmp_path / "held.txt"
    held.write_text("yes\nno\nmaybe")
    material = load_material(small(data=str(file), held_out=str(held)), demo.tokenizer, length=6)
    assert {len(example.ids) for example in material.training} == {6}
    assert material.counts["training_cut"] == 8


def test_the_clean_part_of_gsm8k(demo: Loaded, small: Callable[..., CompareOptions], assets: Path) -> None:
    """The published list of questions that are not in LLM-Adapters' training set, found by the check."""
    listed = json.loads((assets / "data" / "heldout_not_in_math_train.json").read_text())["indices"]["gsm8k"]
    questions = json.loads((assets / "data" / "gsm8k" / "test.json").read_text())
    options = small(
        data=str(assets / "data" / "math_train" / "train.json"), held_out="gsm8k", data_root=str(assets / "data")
    )
    material = load_material(options, demo.tokenizer, length=100_000)
    assert material.counts["tuning"] + material.counts["test"] == len(listed) == 264
    clean = {tuple(text_example(questions[index]["instruction"], demo.tokenizer).ids) for index in listed}
    assert {tuple(e.ids) for part in (material.tuning, material.test) for e in part.examples} == clean
