"""The gate, read off a running model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import get_peft_model
from transformers import T5Config, T5ForConditionalGeneration

import hyplora
from hyplora import HypLoraConfig, HypLoraError
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party


def test_the_gate_is_what_the_layer_multiplies_loras_output_by() -> None:
    model = tiny.adapted(lora_dropout=0.5).train()
    name, layer = next(iter(tiny.layers(model).items()))
    inputs: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda module, args: inputs.append(args[0].detach()))
    found = hyplora.gains(model, tiny.tokens())
    handle.remove()
    assert list(found) == list(tiny.layers(model))
    (x,) = inputs
    with torch.no_grad():
        plain = layer.scaling["default"] * x @ layer.lora_A["default"].weight.T @ layer.lora_B["default"].weight.T
        model.eval()
        delta = layer.delta(x, "default")
    torch.testing.assert_close(found[name].unsqueeze(-1) * plain, delta, rtol=1e-4, atol=1e-7)
    assert found[name].shape == (2, 9)
    assert found[name].dtype == torch.float32


def test_nothing_of_the_model_changes() -> None:
    model = tiny.adapted(lora_dropout=0.5).train()
    model.base_model.model.model.layers[1].eval()
    before = [module.training for module in model.modules()]
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    hyplora.gains(model, tiny.tokens())
    with pytest.raises(IndexError):
        hyplora.gains(model, torch.full((1, 3), 1000))
    assert [module.training for module in model.modules()] == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_padding_is_nan() -> None:
    model = tiny.adapted()
    mask = torch.ones(2, 9, dtype=torch.long)
    mask[1, :4] = 0
    found = hyplora.gains(model, {"input_ids": tiny.tokens(), "attention_mask": mask})
    for values in found.values():
        assert torch.equal(values.isnan(), mask == 0)


@pytest.mark.parametrize(("stretch", "sign"), [(0.3, 1), (1.0, 0), (3.0, -1)])
def test_the_gate_grows_where_the_adapter_shrinks_its_input_and_falls_where_it_stretches(
    stretch: float, sign: int
) -> None:
    """g = arsinh(b sinh θ) / (c b θ), b = ‖BAx‖/‖x‖, θ = ‖x‖/(c√K): 1/c for b = 1, and between 1/c and 1/(cb) else."""
    model = tiny.adapted(target_modules=["q_proj"], norm_scale=2, curvature=0.5)
    layer = next(iter(tiny.layers(model).values()))
    A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    direction = torch.nn.functional.normalize(torch.randn(1, 32), dim=-1)
    with torch.no_grad():
        layer.lora_norm_scale["default"].weight.zero_()
        B.mul_(stretch / (direction @ A.T @ B.T).norm())
    values = layer.gain(torch.logspace(-2, 1.5, 8).unsqueeze(-1) * direction, "default")
    assert values[0].item() == pytest.approx(1 / 2, rel=1e-3)
    assert (values.diff().sign() * sign >= 0).all() if sign else torch.allclose(values, torch.tensor(0.5))
    assert values[-1].item() == pytest.approx(1 / 2 / stretch, rel=0.06)


def test_longer_tokens_have_smaller_gates_in_the_released_form() -> None:
    model = tiny.adapted(target_modules=["q_proj"], form="simplified")
    layer = next(iter(tiny.layers(model).values()))
    values = layer.gain(torch.logspace(-2, 1, 8).unsqueeze(-1) * torch.randn(1, 32), "default")
    assert (values.diff() < 0).all()


def test_the_active_adapter_or_the_one_that_is_named() -> None:
    model = tiny.adapted()
    model.add_adapter("other", tiny.options(form="simplified", target_modules=["up_proj"]))
    ids = tiny.tokens()
    first = hyplora.gains(model, ids)
    assert {name.rpartition(".")[2] for name in first} == {"q_proj", "v_proj", "down_proj"}
    assert {name.rpartition(".")[2] for name in hyplora.gains(model, ids, adapter="other")} == {"up_proj"}
    model.set_adapter("other")
    assert {name.rpartition(".")[2] for name in hyplora.gains(model, ids)} == {"up_proj"}
    model.base_model.set_adapter(["default", "other"])
    with pytest.raises(HypLoraError, match="2 adapters are active; name one of: default, other"):
        hyplora.gains(model, ids)
    with pytest.raises(HypLoraError, match="no HypLoRA adapter 'typo'; choose one of: default, other"):
        hyplora.gains(model, ids, adapter="typo")
    with pytest.raises(HypLoraError, match="the model has no HypLoRA adapters"):
        hyplora.gains(tiny.llama(), ids)


def test_disabled_adapters() -> None:
    line = "adapters are disabled, and no token goes through them; enable them first"
    model = tiny.adapted()
    with model.disable_adapter(), pytest.raises(HypLoraError, match=line):
        hyplora.gains(model, tiny.tokens())
    assert hyplora.gains(model, tiny.tokens())
    base = tiny.llama()
    base.add_adapter(tiny.options())
    base.disable_adapters()
    with pytest.raises(HypLoraError, match=line):
        hyplora.gains(base, tiny.tokens(), adapter="default")


@pytest.mark.parametrize(
    ("batch", "what"),
    [
        (torch.tensor([1, 2]), r"a tensor \(2,\)"),
        ([[1, 2]], "a list"),
        ("text", "a str"),
        ({"input_ids": [[1, 2]]}, "a list"),
    ],
)
def test_batches_that_are_none(batch: Any, what: str) -> None:
    with pytest.raises(HypLoraError, match=rf"^gains takes input_ids as a tensor \(batch, length\), not {what}$"):
        hyplora.gains(tiny.adapted(), batch)


@pytest.mark.parametrize(("batch", "line"), [(torch.ones(2, 3), "whole numbers, not torch.float32"), ({}, "is empty")])
def test_batch_that_is_no_input(batch: Any, line: str) -> None:
    with pytest.raises(HypLoraError, match=f"^gains takes .*{line}$"):
        hyplora.gains(tiny.adapted(), batch)


def test_encoder_and_decoder() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = T5Config(
            vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4, decoder_start_token_id=0
        )
        t5 = T5ForConditionalGeneration(config)
    model = get_peft_model(t5, HypLoraConfig(target_modules=["q"]))
    mask = torch.tensor([[1, 1, 1, 0]])
    batch = {"input_ids": tiny.tokens(1, 4), "attention_mask": mask, "decoder_input_ids": tiny.tokens(1, 4)}
    found = hyplora.gains(model, batch)
    assert len(found) == 3
    for name, values in found.items():
        assert values.isnan().sum() == (1 if ".encoder." in name else 0)
