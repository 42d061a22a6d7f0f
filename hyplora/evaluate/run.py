"""One task put to one model: prompts, batches, answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embgeom.errors import CorpusError, OptionError, choose
from embgeom.results import Record
from hyplora.evaluate.batches import in_batches, starting_size
from hyplora.evaluate.generate import generate
from hyplora.evaluate.likelihood import log_likelihoods
from hyplora.evaluate.scores import Prediction
from hyplora.prompts import Instruction, cut, encode, encode_pair, render_completion, render_prompt, uses_chat_template

if TYPE_CHECKING:
    from hyplora.evaluate.models import Loaded
    from hyplora.evaluate.predictions import PredictionFile
    from hyplora.evaluate.tasks import Question, Task

__all__ = ["SCORINGS", "Settings", "evaluate_task"]

SCORINGS = ("generate", "likelihood")


@dataclass(frozen=True)
class Settings(Record):
    """How questions are put.

    Attributes
    ----------
    scoring : {"generate", "likelihood"}
        By the answer that the model writes (the paper's way), or by the likeliest of the answers there are.
    template : str
        One of :data:`hyplora.prompts.TEMPLATES`.
    beams : int
        1 is greedy search; the authors' script has 4.
    max_new_tokens : int, optional
        By default what the task needs.
    batch_size : int, optional
        By default what should fit into memory.
    """

    scoring: str = "generate"
    template: str = "auto"
    beams: int = 1
    max_new_tokens: int | None = None
    batch_size: int | None = None

    def check(self) -> None:
        """Raise :class:`OptionError` for values out of range."""
        from hyplora.prompts import TEMPLATES

        choose("scoring", self.scoring, SCORINGS)
        choose("template", self.template, TEMPLATES)
        for name in ("beams", "max_new_tokens", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} must be at least 1, not {value}")
        if self.scoring == "likelihood" and self.beams > 1:
            raise OptionError("beams are of scoring 'generate'; 'likelihood' searches for nothing")

    def of(self, task: Task, loaded: Loaded) -> dict[str, Any]:
        """Return all that the predictions on a task depend on, plain."""
        generated = self.scoring == "generate"
        return {
            **loaded.identity,
            "task": task.name,
            "source": task.source,
            "data_revision": task.revision,
            "scoring": self.scoring,
            "template": "chat" if self._uses_chat(loaded) else "plain" if self.template == "auto" else self.template,
            "beams": self.beams if generated else None,
            "max_new_tokens": (self.max_new_tokens or task.max_new_tokens) if generated else None,
        }

    def _uses_chat(self, loaded: Loaded) -> bool:
        return self.template == "auto" and uses_chat_template(loaded.tokenizer)


@dataclass(frozen=True)
class _Asked:
    question: Question
    prompt_hash: str
    prompt: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...] = ()

    @property
    def length(self) -> int:
        return len(self.prompt) + max(map(len, self.answers), default=1)


def evaluate_task(
    loaded: Loaded,
    task: Task,
    settings: Settings | None = None,
    *,
    only: Collection[int] | None = None,
    file: PredictionFile | None = None,
    announce: Callable[[str], None] = lambda line: None,
    on_done: Callable[[int], object] = lambda count: None,
) -> list[Prediction]:
    """Return a model's predictions on a task, in the order of the questions.

    Batches are made of prompts of about the same length, the longest first, and do not depend on what an earlier run
    has done: a run that goes on computes the very batches that the first would have computed.

    Parameters
    ----------
    loaded : Loaded
    task : Task
    settings : Settings, optional
    only : collection of int, optional
        The places of the questions to ask; by default all.
    file : PredictionFile, optional
        Where predictions are added batch by batch, and those of an earlier run are taken from.
    announce : callable
        Called with a line when a batch had to be halved.
    on_done : callable
        Called with the number of questions that are done since the last call.

    Raises
    ------
    OptionError
        A setting out of range; likelihood scoring of answers that are no closed set; no memory for a single question.
    CorpusError
        A prompt cannot be made of a question, or is another than an earlier run's.
    """
    settings = settings or Settings()
    settings.check()
    wanted = None if only is None else set(only)
    questions = [question for question in task.questions if wanted is None or question.index in wanted]
    if settings.scoring == "likelihood" and any(not question.choices for question in questions):
        raise OptionError(f"{task.name} has no closed set of answers to compare by likelihood: score it by 'generate'")
    asked = [_ask(question, loaded, settings) for question in questions]
    done = _earlier(asked, file)
    on_done(len(done))
    fitting = [each for each in asked if loaded.context is None or each.length <= loaded.context]
    too_long = {each.question.index for each in asked} - {each.question.index for each in fitting}
    new_tokens = settings.max_new_tokens or task.max_new_tokens
    size = settings.batch_size or (file.batch_size if file is not None else None)
    if size is None:
        longest = max((each.length for each in fitting), default=1)
        extra = new_tokens if settings.scoring == "generate" else 0
        rows = max((len(each.answers) for each in fitting), default=1) or settings.beams
        size = starting_size(loaded, min(longest + extra, loaded.context or longest + extra), rows=rows)
    if file is not None:
        file.begin(size)

    def work(batch: Sequence[_Asked]) -> list[Prediction]:
        if settings.scoring == "likelihood":
            return _by_likelihood(loaded, batch)
        texts = generate(loaded, [each.prompt for each in batch], max_new_tokens=new_tokens, beams=settings.beams)
        return [
            _answered(each, cut(text, loaded.tokenizer, template=settings.template))
            for each, text in zip(batch, texts, strict=True)
        ]

    def keep(predictions: Sequence[Prediction]) -> None:
        fresh = [each for each in predictions if each.index not in done]
        if file is not None:
            file.add(fresh)
        done.update({each.index: each for each in fresh})
        on_done(len(fresh))

    keep([_answered(each, "", too_long=True) for each in asked if each.question.index in too_long])
    fitting.sort(key=lambda each: (-each.length, each.question.index))
    batches = [fitting[start : start + size] for start in range(0, len(fitting), size)]
    missing = [batch for batch in batches if any(each.question.index not in done for each in batch)]
    for _, predictions in in_batches(missing, work, announce):
        keep(predictions)
    return [done[question.index] for question in questions]


def _ask(question: Question, loaded: Loaded, settings: Settings) -> _Asked:
    tokenizer, template = loaded.tokenizer, settings.template
    prompt = render_prompt(question.record, tokenizer, template=template)
    ids = tuple(encode(prompt, tokenizer))
    answers: list[tuple[int, ...]] = []
    if settings.scoring == "likelihood":
        for choice in question.choices:
            sentence = question.sentence(choice)
            record = Instruction(question.record.instruction, question.record.input, sentence)
            whole = render_completion(record, tokenizer, template=template)
            before, found, _ = whole.partition(sentence)
            if not found:
                raise CorpusError(f"the model's chat template does not repeat an answer as it is: {sentence!r}")
            # What follows the sentence, the end of the turn, says nothing about the choice.
            answers.append(tuple(encode_pair(prompt, before + sentence, tokenizer)[1]))
    return _Asked(question, hashlib.sha256(prompt.encode()).hexdigest()[:16], ids, tuple(answers))


def _earlier(asked: Sequence[_Asked], file: PredictionFile | None) -> dict[int, Prediction]:
    found = {} if file is None else file.found
    earlier = {each.question.index: found[each.question.index] for each in asked if each.question.index in found}
    for each in asked:
        before = earlier.get(each.question.index)
        if before is not None and before.prompt_hash != each.prompt_hash:
            raise CorpusError(
                f"{file.path if file else ''}: question {each.question.index} had another prompt when it was asked: "
                "the data or the template has changed; --overwrite starts anew"
            )
        if before is not None and before.expected != each.question.expected:
            raise CorpusError(
                f"{file.path if file else ''}: question {each.question.index} had the answer {before.expected!r} when "
                f"it was asked, and has {each.question.expected!r}: the data have changed; --overwrite starts anew"
            )
    return earlier


def _answered(each: _Asked, completion: str, *, too_long: bool = False) -> Prediction:
    question = each.question
    extracted = question.extract(completion)
    right = question.is_right(extracted)
    return Prediction(
        question.index, each.prompt_hash, completion, extracted, question.expected, right, too_long=too_long
    )


def _by_likelihood(loaded: Loaded, batch: Sequence[_Asked]) -> list[Prediction]:
    sums = iter(log_likelihoods(loaded, [(each.prompt, answer) for each in batch for answer in each.answers]))
    predictions: list[Prediction] = []
    for each in batch:
        question = each.question
        found = tuple(next(sums) for _ in each.answers)
        likeliest = question.choices[found.index(max(found))]
        predictions.append(
            Prediction(
                question.index,
                each.prompt_hash,
                question.sentence(likeliest),
                likeliest,
                question.expected,
                question.is_right(likeliest),
                log_likelihoods=found,
            )
        )
    return predictions
