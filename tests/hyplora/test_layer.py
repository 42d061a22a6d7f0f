"""The layer in a model: the numbers that it computes, for any base layer, and at the edges."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from peft import get_peft_model, prepare_model_for_kbit_training
from torch import nn
from transformers import BertConfig, BertModel, T5Config, T5ForConditionalGeneration

import hyplora
from hyplora import HypLoraConfig, HypLoraError
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party


class Int8Linear(nn.Module):
    """A quantised layer as libraries make them: integers inside, no ``weight``, and widths to be read off."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        scale = linear.weight.detach().abs().amax(dim=1, keepdim=True) / 127
        self.register_buffer("qweight", (linear.weight.detach() / scale).round().to(torch.int8))
        self.register_buffer("scale", scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ (self.qweight.to(x.dtype) * self.scale.to(x.dtype)).T


def quantised() -> nn.Module:
    model = tiny.llama()
    for block in model.model.layers:
        block.self_attn.q_proj = Int8Linear(block.self_attn.q_proj)
        block.mlp.down_proj = Int8Linear(block.mlp.down_proj)
    return model


@pytest.fixture
def seen() -> Iterator[dict[str, tuple[torch.Tensor, torch.Tensor]]]:
    """Inputs and outputs of all layers with adapters, by class name; filled by hooks."""
    found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def hook(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if isinstance(module, hyplora.HypLoraLinear):
            found[str(id(module))] = (args[0].detach(), output.detach())

    handle = nn.modules.module.register_module_forward_hook(hook)
    yield found
    handle.remove()


@pytest.mark.parametrize("form", tiny.FORMS)
@pytest.mark.parametrize("scale", [None, 1.0])
def test_at_the_start_the_output_is_exactly_the_base_models(form: str, scale: float | None) -> None:
    model = tiny.adapted(seed=None, form=form, norm_scale=scale)
    assert torch.equal(tiny.logits(model), tiny.logits(tiny.llama()))
    # and yet B is on its way
    model.train()(input_ids=tiny.tokens(), labels=tiny.tokens()).loss.backward()
    for layer in tiny.layers(model).values():
        gradient = layer.lora_B["default"].weight.grad
        assert gradient.isfinite().all()
        assert (gradient != 0).any()


def test_the_time_column_of_b_alone_would_move_the_output() -> None:
    model = tiny.adapted(seed=None, form="time")
    for layer in tiny.layers(model).values():
        layer.lora_B["default"].weight.data[:, 0] = 0.1
    assert not torch.allclose(tiny.logits(model), tiny.logits(tiny.llama()))


def test_the_layer_computes_the_papers_formula(seen: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
    model = tiny.adapted(curvature=0.7, lora_alpha=6, rank_pattern={"v_proj": 2}, alpha_pattern={"down_proj": 3})
    tiny.logits(model)
    for name, layer in tiny.layers(model).items():
        x, output = seen[str(id(layer))]
        A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        r, alpha = (2 if "v_proj" in name else 4), (3 if "down_proj" in name else 6)
        assert A.shape == (r, x.shape[-1])
        K = 0.7 * math.exp(layer.lora_curvature["default"].weight.item())
        c = math.sqrt(x.shape[-1]) * math.exp(layer.lora_norm_scale["default"].weight.item())
        with torch.no_grad():
            expected = alpha / r * tiny.textbook(x, A, B, K, c)
            found = (output - layer.base_layer(x)).double()
        assert (found - expected).norm() <= 1e-5 * expected.norm()


def test_rslora_and_dropout(seen: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
    model = tiny.adapted(use_rslora=True, lora_dropout=0.5, norm_scale=3)
    layer = next(iter(tiny.layers(model).values()))
    assert layer.scaling["default"] == 8 / math.sqrt(4)
    assert torch.equal(tiny.logits(model), tiny.logits(model))
    x = torch.randn(1, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.train()
        torch.manual_seed(3)
        found = layer.delta(x, "default")
        torch.manual_seed(3)
        kept = nn.functional.dropout(x, 0.5)  # the whole map, the norm included, sees what dropout left
    K, c = (module["default"]().item() for module in (layer.lora_curvature, layer.lora_norm_scale))
    expected = 4 * tiny.textbook(kept, layer.lora_A["default"].weight, layer.lora_B["default"].weight, K, c)
    assert (found.double() - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("form", tiny.FORMS)
@pytest.mark.parametrize("learn", [True, False])
def test_number_of_parameters(form: str, learn: bool) -> None:
    config = tiny.options(r=3, form=form, learn_curvature=learn, learn_norm_scale=learn)
    model = get_peft_model(tiny.llama(), config)
    time = form == "time"
    widths = [(32, 32), (32, 16), (48, 32)] * 2
    expected = sum(3 * (d + time) + k * (3 + time) + 2 * learn for d, k in widths)
    assert model.get_nb_trainable_parameters()[0] == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_curvature_stays_positive_and_moves_in_bfloat16(dtype: torch.dtype) -> None:
    model = tiny.llama().to(dtype)
    model.add_adapter(tiny.options(curvature=0.3), "default")  # transformers keeps the adapter in the model's dtype
    tiny.train(model, seed=2)
    layer = next(iter(tiny.layers(model).values()))
    layer.lora_curvature["default"].weight.data.zero_()
    assert layer.lora_curvature["default"]().item() == pytest.approx(0.3, rel=1e-7)  # not what bfloat16 makes of 0.3
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    for _ in range(5):
        model(input_ids=tiny.tokens(), labels=tiny.tokens()).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    K = layer.lora_curvature["default"]()
    assert K.dtype == torch.float32
    assert K.shape == (1,)
    assert abs(math.log(K.item() / 0.3)) == pytest.approx(5e-4, rel=0.3)
    layer.lora_curvature["default"].weight.data.fill_(-60)
    assert layer.lora_curvature["default"]().item() > 0


def test_a_fixed_curvature_is_saved_and_does_not_train() -> None:
    model = tiny.adapted(seed=None, learn_curvature=False, learn_norm_scale=False)
    names = {name.split(".")[-3] for name, p in model.named_parameters() if p.requires_grad}
    assert names == {"lora_A", "lora_B"}
    assert sum("lora_curvature" in name for name in model.state_dict()) == 6
    model.set_adapter("default")
    assert {name.split(".")[-3] for name, p in model.named_parameters() if p.requires_grad} == names


def test_names_that_readers_of_lora_refuse() -> None:
    from peft import get_peft_model_state_dict

    saved = get_peft_model_state_dict(tiny.adapted(learn_curvature=False))
    kinds = {name.split(".")[-2] for name in saved}
    assert kinds == {"lora_A", "lora_B", "lora_curvature", "lora_norm_scale"}
    # llama.cpp's converter skips such names instead of stopping at them.
    assert not any("_layernorm" in name or ".norm" in name for name in saved)


def test_conv1d_of_gpt2(seen: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
    for transposed in (False, True):  # users of LoRA set it for GPT-2; here it has no consequence
        model = tiny.adapted(tiny.gpt2(), target_modules=["c_attn", "c_fc"], fan_in_fan_out=transposed)
        tiny.logits(model)
        layer = model.base_model.model.transformer.h[1].attn.c_attn
        x, output = seen[str(id(layer))]
        K, c = (module["default"]().item() for module in (layer.lora_curvature, layer.lora_norm_scale))
        expected = 2 * tiny.textbook(x, layer.lora_A["default"].weight, layer.lora_B["default"].weight, K, c)
        with torch.no_grad():
            found = (output - layer.base_layer(x)).double()
        assert (found - expected).norm() <= 1e-5 * expected.norm()


def test_an_encoder_and_an_encoder_decoder() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
        bert = BertModel(BertConfig(vocab_size=64, **shape)).eval()
        t5 = T5ForConditionalGeneration(
            T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, decoder_start_token_id=0)
        ).eval()
    ids = tiny.tokens()
    before = bert(ids).last_hidden_state.detach()
    model = get_peft_model(bert, HypLoraConfig(task_type="FEATURE_EXTRACTION"))  # query and value, as LoRA has it
    assert {name.rpartition(".")[2] for name in tiny.layers(model)} == {"query", "value"}
    assert torch.equal(model(ids).last_hidden_state, before)
    tiny.train(model)
    assert not torch.allclose(model(ids).last_hidden_state, before)

    model = get_peft_model(t5, HypLoraConfig(target_modules=["q", "v", "wo"]))
    tiny.train(model)
    assert model(input_ids=ids, labels=ids).loss.isfinite()
    assert model.generate(input_ids=ids, max_new_tokens=3, num_beams=2).shape[0] == 2


def test_a_quantised_base_is_only_called() -> None:
    model = quantised()
    before = tiny.logits(model)
    model = tiny.adapted(model, seed=None, target_modules=["q_proj", "down_proj"])
    assert torch.equal(tiny.logits(model), before)
    tiny.train(model)
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    assert isinstance(layer.base_layer, Int8Linear)
    assert (layer.in_features, layer.out_features) == (32, 32)
    after = tiny.logits(model)
    assert not torch.allclose(after, before)
    with model.disable_adapter():
        assert torch.equal(tiny.logits(model), before)
    with pytest.raises(HypLoraError, match="cannot be merged"):
        model.merge_and_unload()
    assert torch.equal(tiny.logits(model), after)


@pytest.mark.parametrize("bits", [4, 8])
def test_bitsandbytes(bits: int) -> None:
    bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    model = tiny.llama(hidden_size=64, intermediate_size=64)
    for block in model.model.layers:
        for name in ("q_proj", "v_proj"):
            linear = getattr(block.self_attn, name)
            size = (linear.in_features, linear.out_features)
            if bits == 8:
                new = bnb.nn.Linear8bitLt(*size, bias=False, has_fp16_weights=False)
                new.weight = bnb.nn.Int8Params(linear.weight.data, requires_grad=False, has_fp16_weights=False)
            else:
                new = bnb.nn.Linear4bit(*size, bias=False, quant_type="nf4")
                new.weight = bnb.nn.Params4bit(linear.weight.data, requires_grad=False, quant_type="nf4")
            setattr(block.self_attn, name, new.to("cpu"))
    check_quantised(model)


def test_torchao() -> None:
    torchao = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    model = tiny.llama(hidden_size=64, intermediate_size=64)
    torchao.quantize_(model, torchao.Int8WeightOnlyConfig(), lambda module, name: name.endswith(("q_proj", "v_proj")))
    check_quantised(model)


def check_quantised(base: nn.Module) -> None:
    base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)
    model = tiny.adapted(base, target_modules=["q_proj", "v_proj"])
    # Training comes first: on the CPU bitsandbytes packs 4-bit weights when it first infers, and then has no way back.
    model.train()(input_ids=tiny.tokens(), labels=tiny.tokens()).loss.backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad == ("lora_" in name)
    with model.eval().disable_adapter():
        before = tiny.logits(model)
    assert not torch.equal(before, tiny.logits(tiny.llama(hidden_size=64, intermediate_size=64)))
    mixed = tiny.logits(model, adapter_names=["default", "__base__"])
    assert torch.allclose(mixed[1], before[1], atol=1e-5)
    assert not torch.allclose(mixed[0], before[0], atol=1e-3)
    layer = next(iter(tiny.layers(model).values()))
    x = torch.randn(3, 64)
    with torch.no_grad():
        assert torch.allclose(layer(x), layer.base_layer(x) + layer.delta(x, "default"))
    with pytest.raises(HypLoraError, match="cannot be merged"):
        layer.merge()


@pytest.mark.parametrize("form", tiny.FORMS)
def test_edges(form: str) -> None:
    model = tiny.adapted(form=form)
    layer = next(iter(tiny.layers(model).values()))
    x = torch.randn(2, 5, 32)
    # empty batches
    for shape in ((0, 5, 32), (2, 0, 32), (0, 32)):
        empty = torch.zeros(shape, requires_grad=True)
        layer(empty).sum().backward()
        assert empty.grad.shape == shape
    assert layer(torch.zeros(0, 32)).shape == (0, 32)
    # NaN goes through, and stays where it is
    x[1, 2, 3] = torch.nan
    with torch.no_grad():
        out = layer(x)
    assert out[1, 2].isnan().all()
    out[1, 2] = 0
    assert out.isfinite().all()
    # rows of zeros: no change in the forms that keep the origin, and finite gradients in all
    x = torch.zeros(3, 32, requires_grad=True)
    delta = layer.delta(x, "default")
    if form != "time":
        assert (delta == 0).all()
    layer(x).square().sum().backward()
    gradients = [x.grad, *(p.grad for p in layer.parameters() if p.requires_grad)]
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_dtypes_are_those_of_lora(dtype: torch.dtype) -> None:
    model = tiny.adapted(tiny.llama().to(dtype))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}  # PEFT's default
    assert tiny.logits(model).dtype == dtype
    model = get_peft_model(tiny.llama().to(dtype), tiny.options(), autocast_adapter_dtype=False)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {dtype}
    assert tiny.logits(model).dtype == dtype
