"""What contenders learn from, are tuned on and are compared on: three sets of records without one in common."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from embgeom.errors import CorpusError
from hyplora.compare.options import CompareOptions
from hyplora.train.records import ARITHMETIC, read_training_records

if TYPE_CHECKING:
    from hyplora.evaluate.tasks import Task
    from hyplora.train.examples import Example

__all__ = ["Material", "Part", "load_material", "text_example"]

_HELD_OUT = 0.2
_TUNING = 1 / 3
_TUNING_PROBLEMS = 200


@dataclass(frozen=True)
class Part:
    """Records to be scored.

    Attributes
    ----------
    examples : tuple of Example
    characters : int or None
        Of all texts together; None of problems, whose answers are counted in tokens.
    task : Task or None
        The questions to be answered in writing.
    """

    examples: tuple[Example, ...]
    characters: int | None = None
    task: Task | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What tells it from others."""
        questions = [] if self.task is None else [[q.record.question, q.expected] for q in self.task.questions]
        return {
            "sha256": _digest(self.examples),
            "characters": self.characters,
            "questions": hashlib.sha256(repr(questions).encode()).hexdigest() if questions else None,
        }


@dataclass(frozen=True)
class Material:
    """The three parts.

    Attributes
    ----------
    name : str
        Of the data.
    held_out : str or None
        Of the data that the tuning and the test part are from, where these are others.
    training : tuple of Example
    tuning, test : Part
    metrics : tuple of str
        Of the test part.
    tuned_on : str
    counts : dict
    """

    name: str
    held_out: str | None
    training: tuple[Example, ...]
    tuning: Part
    test: Part
    metrics: tuple[str, ...]
    tuned_on: str
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def training_identity(self) -> str:
        """The hash of what is learned from."""
        return _digest(self.training)


def load_material(options: CompareOptions, tokenizer: Any, *, length: int) -> Material:
    """Read the data and divide it; the same for every seed and every contender.

    Parameters
    ----------
    options : CompareOptions
    tokenizer : transformers.PreTrainedTokenizerBase
    length : int
        Tokens that a record may have. Training texts are cut to it; held-out ones that are longer are left out.

    Raises
    ------
    CorpusError
        The data cannot be read, or leaves nothing for one of the parts.
    """
    if options.data == ARITHMETIC:
        return _problems(options, tokenizer)
    return _texts(options, tokenizer, length)


def text_example(text: str, tokenizer: Any) -> Example:
    """Return a text in tokens, between the one that begins it (BOS, or EOS where there is none) and EOS.

    All but the first are learned and counted: the text, and that it ends there.
    """
    from hyplora.prompts import encode
    from hyplora.train.examples import Example

    first = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    ids = np.asarray([first, *encode(text, tokenizer), tokenizer.eos_token_id], dtype=np.int32)
    return Example(ids, 1, len(ids) - 1)


def _texts(options: CompareOptions, tokenizer: Any, length: int) -> Material:
    from embgeom.corpus import load_texts
    from hyplora.contamination import find_contamination
    from hyplora.train.examples import Example

    random = np.random.default_rng(0)
    corpus = load_texts(options.data, data_root=options.data_root)
    learned, held = list(corpus), []
    other = None
    if options.held_out is not None:
        found = load_texts(options.held_out, data_root=options.data_root)
        other, held = found.name, list(found)
    else:
        order = random.permutation(len(learned))
        border = round(_HELD_OUT * len(learned))
        held = [learned[index] for index in sorted(order[:border])]
        learned = [learned[index] for index in sorted(order[border:])]
    clean = [held[index] for index in find_contamination(held, learned).clean]
    pairs = [(text, text_example(text, tokenizer)) for text in clean]
    fitting = [(text, example) for text, example in pairs if len(example.ids) <= length]
    counts = {
        "learned_from_too": len(held) - len(clean),
        "too_long": len(pairs) - len(fitting),
    }
    border = round(_TUNING * len(fitting))
    if not 0 < border < len(fitting):
        raise CorpusError(
            f"{options.held_out or options.data}: {len(fitting)} texts are left to tune and to compare on, of "
            f"{len(held)} held out: {counts['learned_from_too']} are in the training texts too, {counts['too_long']} "
            f"are longer than {length} tokens; at least 2 are needed"
        )
    order = random.permutation(len(fitting))
    tuning, test = (
        Part(tuple(example for _, example in some), sum(len(text) for text, _ in some))
        for some in (
            [fitting[index] for index in sorted(order[:border])],
            [fitting[index] for index in sorted(order[border:])],
        )
    )
    whole = [text_example(text, tokenizer) for text in learned]
    training = tuple(Example(e.ids[:length], 1, min(e.prompt, length)) for e in whole)
    counts |= {
        "training": len(training),
        "training_cut": sum(len(example.ids) > length for example in whole),
        "tuning": len(tuning.examples),
        "test": len(test.examples),
        "test_characters": test.characters or 0,
    }
    metric = "bits_per_character"
    return Material(corpus.name, other, training, tuning, test, (metric,), metric, counts)


def _problems(options: CompareOptions, tokenizer: Any) -> Material:
    from hyplora.evaluate.tasks import load_task
    from hyplora.train.examples import tokenize
    from hyplora.train.options import DataOptions

    data = DataOptions(data=ARITHMETIC, cutoff=options.cutoff, validation=_TUNING_PROBLEMS)

    def part(split: str) -> tuple[Example, ...]:
        return tokenize(
            lambda on_bad: read_training_records(data, split=split, seed=0, on_bad=on_bad), tokenizer, data
        ).examples

    task = load_task(ARITHMETIC, seed=0)
    answers = tokenize(lambda _: ((str(q.index), q.record) for q in task.questions), tokenizer, data).examples
    training, tuning = part("train"), Part(part("validation"))
    test = Part(answers, task=task)
    counts = {"training": len(training), "tuning": len(tuning.examples), "test": len(test.examples)}
    return Material(ARITHMETIC, None, training, tuning, test, ("accuracy", "loss"), "loss", counts)


def _digest(examples: Sequence[Example]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(np.asarray([len(example.ids), example.learned, example.prompt], dtype=np.int64).tobytes())
        digest.update(np.asarray(example.ids, dtype=np.int64).tobytes())
    return digest.hexdigest()
