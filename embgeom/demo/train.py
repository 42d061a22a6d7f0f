"""Make the demo model: tokenizer, weights and ``training.json``, from the text that every Python carries.

Run ``python -m embgeom.demo.train``. It takes five to ten minutes on two cores, uses nothing but the texts of
:mod:`embgeom.demo.texts`, and gives the same weights, bit for bit, whenever it runs on the same machine with the same
versions.

One paragraph in ten is kept for validation, chosen by its hash, so that the choice survives a change of Python
version; a block of the text that shares thirteen words in a row with one of them is not trained on. The weights that
are kept are those with the least validation loss, which is therefore very slightly optimistic.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embgeom.demo import MODEL_DIR
from embgeom.demo.texts import demo_blocks, demo_texts
from embgeom.progress import progress_of

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

__all__ = ["Recipe", "bits_per_byte", "split_texts", "train", "unigram_entropy", "validation_loss"]

_MAX_BYTES = 5_000_000
_SHARED_WORDS = 13
_PROMPT = "When a function is called,"
_SPECIAL = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}  # in the order of their ids


@dataclass(frozen=True)
class Recipe:
    """What there is to choose about the model and its training."""

    vocabulary: int = 3072
    width: int = 160
    layers: int = 5
    heads: int = 4
    key_value_heads: int = 2
    mlp_width: int = 432
    context: int = 512
    steps: int = 900
    warmup: int = 50
    rows: int = 4
    row_length: int = 512
    learning_rate: float = 3e-3
    weight_decay: float = 1.5
    dropout: float = 0.2
    evaluate_every: int = 25
    patience: int = 8


def split_texts() -> tuple[list[str], list[str]]:
    """Return what to train on (prose, code, lists, everything) and the paragraphs to validate on.

    Returns
    -------
    tuple[list[str], list[str]]
        The two have no paragraph in common, and no thirteen consecutive words either (or, for a validation
        paragraph with fewer, not all its words in a row).
    """
    validation = [text for text in demo_texts() if hashlib.sha256(text.encode()).digest()[0] % 10 == 0]
    held_out = {run for text in validation for run in _runs(text, min(_SHARED_WORDS, len(_words(text))))}
    lengths = {len(run) for run in held_out}
    blocks = demo_blocks()
    return [b for b in blocks if not any(run in held_out for n in lengths for run in _runs(b, n))], validation


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _runs(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = _words(text)
    return (tuple(words[i : i + length]) for i in range(len(words) - length + 1))


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE whose digits stand alone and that puts ``<s>`` in front, like Llama's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(_SPECIAL.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    bos = _SPECIAL["bos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **_SPECIAL)


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, output: Path, context: int) -> None:
    """Write ``tokenizer.json`` and a ``tokenizer_config.json`` that both transformers 4 and 5 understand."""
    tokenizer.backend_tokenizer.save(str(output / "tokenizer.json"), pretty=False)
    config = {
        "add_bos_token": True,
        "add_eos_token": False,
        **_SPECIAL,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": context,
        "padding_side": "right",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (output / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def new_model(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> LlamaForCausalLM:
    """Return an untrained Llama with tied embeddings."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=recipe.mlp_width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_value_heads,
        max_position_embeddings=recipe.context,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def batches(documents: Sequence[Sequence[int]], recipe: Recipe) -> Iterator[torch.Tensor]:
    """Yield rows × length token ids without end: the documents in a new order each epoch, put end to end and cut."""
    import torch

    size = recipe.rows * recipe.row_length
    stream: list[int] = []
    while True:
        for index in torch.randperm(len(documents)).tolist():
            stream.extend(documents[index])
            while len(stream) >= size:
                yield torch.tensor(stream[:size]).view(recipe.rows, recipe.row_length)
                del stream[:size]


def validation_loss(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> float:
    """Return the mean cross-entropy in nats over all tokens of the texts, each predicted from ``<s>`` on."""
    import torch

    context = model.config.max_position_embeddings
    ids = sorted((tokenizer(text, verbose=False)["input_ids"][:context] for text in texts), key=len)
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    for start in range(0, len(ids), 16):
        rows = [torch.tensor(row) for row in ids[start : start + 16]]
        inputs = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_token_id)
        targets = torch.nn.utils.rnn.pad_sequence([row[1:] for row in rows], batch_first=True, padding_value=-100)
        with torch.no_grad():
            logits = model(input_ids=inputs, attention_mask=(inputs != tokenizer.pad_token_id).long()).logits[:, :-1]
        total += torch.nn.functional.cross_entropy(logits.float().mT, targets, reduction="sum").item()
        count += sum(map(len, rows)) - len(rows)
    model.train(was_training)
    return total / count


def unigram_entropy(tokenizer: PreTrainedTokenizerFast, training: Sequence[str], validation: Sequence[str]) -> float:
    """Return the cross-entropy in nats per validation token under the training tokens' counts, each plus one."""
    counts, held_out = _token_counts(tokenizer, training), _token_counts(tokenizer, validation)
    total = math.log(counts.total() + len(tokenizer))
    return total - sum(n * math.log(counts[token] + 1) for token, n in held_out.items()) / held_out.total()


def bits_per_byte(loss: float, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> float:
    """Return a loss in nats per token as bits per UTF-8 byte of the texts."""
    tokens = _token_counts(tokenizer, texts).total()
    return loss * tokens / sum(len(text.encode()) for text in texts) / math.log(2)


def _token_counts(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Counter[int]:
    ids = (tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] for text in texts)
    return Counter(token for row in ids for token in row)


def _optimizer(model: LlamaForCausalLM, recipe: Recipe) -> tuple[Any, Any]:
    """Return AdamW, which decays what is no embedding and no norm, and its schedule.

    The rate rises linearly and then falls along a cosine to a tenth.
    """
    import torch

    def factor(step: int) -> float:
        if step < recipe.warmup:
            return (step + 1) / recipe.warmup
        return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)))

    decayed = [p for name, p in model.named_parameters() if p.ndim > 1 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim == 1 or "embed" in name]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
        betas=(0.9, 0.95),
    )
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def fit(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    training: Sequence[str],
    validation: Sequence[str],
    recipe: Recipe,
) -> dict[int, float]:
    """Train the model, leave it with the weights of the least validation loss, and return the losses by step."""
    import torch

    eos = tokenizer.eos_token_id
    source = batches([[*tokenizer(text)["input_ids"], eos] for text in training], recipe)
    optimizer, schedule = _optimizer(model, recipe)
    losses: dict[int, float] = {}
    best_step, best_state = 0, {}
    model.train()
    with progress_of("training", show=True) as on_progress:
        for step in range(1, recipe.steps + 1):
            inputs = next(source)
            loss = model(input_ids=inputs, labels=inputs).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            on_progress(step / recipe.steps)
            if step % recipe.evaluate_every == 0 or step == recipe.steps:
                losses[step] = validation_loss(model, tokenizer, validation)
                if losses[step] == min(losses.values()):
                    best_step, best_state = step, {name: t.clone() for name, t in model.state_dict().items()}
                elif step - best_step >= recipe.patience * recipe.evaluate_every:
                    break
    model.load_state_dict(best_state)
    return losses


@contextmanager
def _dropout(model: LlamaForCausalLM, rate: float) -> Iterator[None]:
    """Drop part of what the embedding and each sublayer add to the residual stream; a Llama has no such setting."""
    import torch

    def drop(module: torch.nn.Module, _: object, output: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(output, rate, module.training)

    sources = [model.model.embed_tokens]
    sources += [source for layer in model.model.layers for source in (layer.self_attn.o_proj, layer.mlp.down_proj)]
    handles = [source.register_forward_hook(drop) for source in sources]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Fix everything that the result may depend on, and set it back at the end."""
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)


def train(output: Path, seed: int = 0, recipe: Recipe | None = None) -> dict[str, Any]:
    """Make the whole folder of the demo model.

    Parameters
    ----------
    output : Path
        The folder to write; made if it is not there.
    seed : int
        Of the initial weights and of the order of the text.
    recipe : Recipe, optional
        Something other than the model that is shipped.

    Returns
    -------
    dict[str, Any]
        What ``training.json`` says.
    """
    recipe = recipe or Recipe()
    started = time.perf_counter()
    training, validation = split_texts()
    output.mkdir(parents=True, exist_ok=True)
    with _deterministic(seed):
        tokenizer = train_tokenizer(training, recipe.vocabulary)
        save_tokenizer(tokenizer, output, recipe.context)
        model = new_model(tokenizer, recipe)
        with _dropout(model, recipe.dropout):
            losses = fit(model, tokenizer, training, validation, recipe)
        model.bfloat16().save_pretrained(output)
        (output / "model.safetensors").chmod(0o644)
        report = _report(output, training, validation)
    report |= {
        "seed": seed,
        "steps": min(losses, key=losses.__getitem__),
        "seconds": round(time.perf_counter() - started, 1),
        "recipe": asdict(recipe),
        "validation_losses": {step: round(loss, 3) for step, loss in losses.items()},
    }
    (output / "training.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _load(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(folder)


def _report(folder: Path, training: Sequence[str], validation: Sequence[str]) -> dict[str, Any]:
    """Measure what was saved, from the disk."""
    import torch
    import transformers

    model, tokenizer = _load(folder)
    loss = validation_loss(model, tokenizer, validation)
    return {
        "python_version": platform.python_version(),
        "torch_version": torch.__version__,
        "transformers_version": transformers.__version__,
        "parameters": model.num_parameters(),
        "training_tokens": _token_counts(tokenizer, training).total(),
        "validation_tokens": _token_counts(tokenizer, validation).total(),
        "validation_paragraphs": len(validation),
        "unigram_entropy": round(unigram_entropy(tokenizer, training, validation), 4),
        "validation_loss": round(loss, 4),
        "validation_bits_per_byte": round(bits_per_byte(loss, tokenizer, validation), 4),
    }


def check(folder: Path) -> str:
    """Check the size of the folder, and return how the model in it continues a prompt.

    Raises
    ------
    ValueError
        If all files together have more than five million bytes.
    """
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > _MAX_BYTES:
        raise ValueError(f"{folder} has {size} bytes, {_MAX_BYTES} at most are shipped; choose a smaller Recipe")
    model, tokenizer = _load(folder)
    inputs = tokenizer(_PROMPT, return_tensors="pt", return_token_type_ids=False)
    output = model.generate(**inputs, do_sample=False, max_new_tokens=60)
    return f"{size} bytes; {tokenizer.decode(output[0], skip_special_tokens=True)!r}"


def main(
    output: Annotated[Path, typer.Option(help="The folder to write.")] = MODEL_DIR,
    seed: Annotated[int, typer.Option(help="Of the initial weights and the order of the text.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Stop after so many steps at the latest.")] = Recipe.steps,
) -> None:
    """Train the demo model on the text that every Python carries."""
    report = train(output, seed, Recipe(steps=steps))
    print(
        f"validation loss {report['validation_loss']:.2f} nats/token, unigram entropy "
        f"{report['unigram_entropy']:.2f} ({report['steps']} steps, {report['seconds']:.0f} s)"
    )
    print(check(output))


if __name__ == "__main__":
    typer.run(main)
