"""Training: the Trainer, checkpoints of all kinds, autocast, compilation."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from torch import nn
from transformers import Trainer, TrainingArguments

from tests.hyplora import tiny

pytestmark = tiny.allow_third_party

# torch.compile makes an instance of every autograd function that it traces, which torch itself warns of
from_dynamo = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")


def step(model: nn.Module) -> dict[str, torch.Tensor]:
    """One backward pass; gradients by name."""
    model.zero_grad()
    ids = tiny.tokens()
    model(input_ids=ids, labels=ids).loss.backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}
    assert all(gradient.isfinite().all() for gradient in found.values())
    return found


def trainer(model: nn.Module, folder: Path, **given: Any) -> Trainer:
    rows = [{"input_ids": row, "labels": row} for row in tiny.tokens(16)]
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=4,
        learning_rate=3e-3,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
        logging_steps=1,
        **given,
    )
    return Trainer(model=model, args=arguments, train_dataset=rows)


@pytest.mark.parametrize("form", tiny.FORMS)
def test_every_parameter_gets_its_gradient(form: str) -> None:
    model = tiny.adapted(form=form, learn_norm_scale=True).train()
    for name, gradient in step(model).items():
        assert (gradient != 0).any(), name


def test_trainer_checkpoints_and_resumes(tmp_path: Path) -> None:
    def fresh() -> PeftModel:
        torch.manual_seed(5)
        return get_peft_model(tiny.llama(), tiny.options(lora_dropout=0.1))

    whole = trainer(fresh(), tmp_path, max_steps=6, save_steps=3)
    ids = tiny.tokens(16)
    before = whole.model.eval()(input_ids=ids, labels=ids).loss.item()
    whole.train()
    assert whole.model.eval()(input_ids=ids, labels=ids).loss.item() < before
    for layer in tiny.layers(whole.model).values():
        assert layer.lora_curvature["default"].weight.item() != 0
        assert layer.lora_norm_scale["default"].weight.item() != 0
    resumed = trainer(fresh(), tmp_path / "second", max_steps=6, save_steps=3)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    for (name, one), (_, other) in zip(
        whole.model.state_dict().items(), resumed.model.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7, msg=name)
    loaded = PeftModel.from_pretrained(tiny.llama(), tmp_path / "checkpoint-6")
    assert torch.equal(tiny.logits(loaded), tiny.logits(whole.model.eval()))


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning")
@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing(reentrant: bool) -> None:
    expected = step(tiny.adapted().train())
    base = tiny.llama()
    base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": reentrant})
    base.enable_input_require_grads()
    found = step(tiny.adapted(base).train())
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("base", [torch.float32, torch.bfloat16])
def test_autocast(base: torch.dtype) -> None:
    model = tiny.adapted(tiny.llama().to(base)).train()
    exact = step(tiny.adapted().train())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = step(model)
        layer = next(iter(tiny.layers(model).values()))
        assert layer.delta(torch.randn(2, 32), "default").dtype == torch.bfloat16
    for name, gradient in found.items():
        assert gradient.dtype == torch.float32
        scale = exact[name].norm() if gradient.numel() > 1 else torch.tensor(1e-3)
        assert (gradient - exact[name]).norm() < 0.3 * scale + 1e-4, name


@from_dynamo
@pytest.mark.parametrize("form", tiny.FORMS)
def test_compiles_without_graph_breaks(form: str) -> None:
    model = tiny.adapted(form=form, learn_norm_scale=True, lora_dropout=0.0, layers_to_transform=[1])
    layer = tiny.layers(model)["base_model.model.model.layers.1.mlp.down_proj"]
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend="aot_eager")
    x = torch.randn(3, 5, 48)
    results = []
    for module in (layer, compiled):
        given = x.clone().requires_grad_()
        out = module(given)
        out.square().sum().backward()
        parameters = [
            p.grad for p in (module if module is layer else compiled._orig_mod).parameters() if p.requires_grad
        ]
        results.append([out.detach(), given.grad, *parameters])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@from_dynamo
@pytest.mark.filterwarnings(
    "ignore:`torch\\.:DeprecationWarning", "ignore:`torch\\.:FutureWarning"
)  # of inductor, about torch
@pytest.mark.slow
def test_a_whole_model_compiles_and_follows_the_active_adapter() -> None:
    model = tiny.adapted()
    model.add_adapter("other", tiny.options(form="time"))
    tiny.train(model, "other", seed=2)
    expected = {}
    for name in ("default", "other"):
        model.set_adapter(name)
        expected[name] = tiny.logits(model)
    model.set_adapter("default")
    gradients = step(model)
    compiled = torch.compile(model, fullgraph=True)
    for name in ("default", "other", "default"):
        model.set_adapter(name)
        torch.testing.assert_close(tiny.logits(compiled), expected[name], rtol=1e-4, atol=1e-5)
    ids = tiny.tokens()
    model.zero_grad()
    compiled(input_ids=ids, labels=ids).loss.backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-3, atol=1e-6)


def test_weight_decay_pulls_the_curvature_to_where_it_started() -> None:
    model = tiny.adapted(curvature=3.0)
    layer = next(iter(tiny.layers(model).values()))
    weight = layer.lora_curvature["default"].weight
    before = abs(math.log(layer.lora_curvature["default"]().item() / 3))
    optimizer = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.5)
    for _ in range(10):
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    assert abs(math.log(layer.lora_curvature["default"]().item() / 3)) == pytest.approx(before * 0.95**10, rel=1e-4)
