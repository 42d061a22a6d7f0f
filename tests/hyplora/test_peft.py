"""What a PEFT user does with LoRA, done with HypLoRA."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import peft
import pytest
import torch
from packaging.version import Version
from peft import (
    AutoPeftModelForCausalLM,
    IA3Config,
    LoHaConfig,
    LoraConfig,
    OFTConfig,
    PeftConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    inject_adapter_in_model,
    set_peft_model_state_dict,
)
from peft.helpers import rescale_adapter_scale
from peft.utils.hotswap import hotswap_adapter
from torch import nn

import hyplora
from hyplora import HypLoraConfig, HypLoraError
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party


def two_adapters() -> PeftModel:
    """Adapters ``default`` and ``other`` on different layers, of different forms; the first is active."""
    model = tiny.adapted()
    model.add_adapter("other", tiny.options(form="simplified", r=2, target_modules=["q_proj", "up_proj"]))
    tiny.train(model, "other", seed=2)
    return model.eval()


def alone(model: PeftModel, name: str) -> torch.Tensor:
    model.set_adapter(name)
    return tiny.logits(model)


class TestSavingAndLoading:
    @pytest.mark.parametrize("form", tiny.FORMS)
    @pytest.mark.parametrize("safe", [True, False])
    def test_save_and_load(self, tmp_path: Path, form: str, safe: bool) -> None:
        model = tiny.adapted(form=form, learn_curvature=safe, curvature=0.7)
        model.save_pretrained(tmp_path, safe_serialization=safe)
        loaded = PeftModel.from_pretrained(tiny.llama(), tmp_path)
        assert torch.equal(tiny.logits(loaded), tiny.logits(model))
        assert not any(p.requires_grad for p in loaded.parameters())
        assert loaded.peft_config["default"].inference_mode
        again = PeftModel.from_pretrained(tiny.llama(), tmp_path, is_trainable=True)
        kinds = {"lora_A", "lora_B"} | ({"lora_curvature"} if safe else set())
        kinds |= {"lora_norm_scale"} if form != "simplified" else set()
        assert {name.split(".")[-3] for name, p in again.named_parameters() if p.requires_grad} == kinds

    def test_low_memory_loading(self, tmp_path: Path) -> None:
        for learn in (True, False):
            model = tiny.adapted(learn_curvature=learn, learn_norm_scale=learn)
            model.save_pretrained(tmp_path)
            loaded = PeftModel.from_pretrained(tiny.llama(), tmp_path, low_cpu_mem_usage=True)
            assert not any(p.is_meta for p in loaded.state_dict().values())
            assert torch.equal(tiny.logits(loaded), tiny.logits(model))

    def test_auto_peft_model(self, tmp_path: Path) -> None:
        base = tiny.saved_llama(tmp_path / "base")
        model = tiny.adapted(tiny.llama().from_pretrained(base))
        model.save_pretrained(tmp_path / "adapter")
        loaded = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter")
        assert isinstance(loaded.base_model, hyplora.HypLoraModel)
        assert torch.equal(tiny.logits(loaded), tiny.logits(model))

    def test_adapters_side_by_side(self, tmp_path: Path) -> None:
        model = two_adapters()
        expected = {name: alone(model, name) for name in ("default", "other")}
        model.save_pretrained(tmp_path)
        loaded = PeftModel.from_pretrained(tiny.llama(), tmp_path)
        loaded.load_adapter(tmp_path / "other", "other")
        for name, values in expected.items():
            assert torch.equal(alone(loaded, name), values)

    def test_modules_to_save(self, tmp_path: Path) -> None:
        model = tiny.adapted(modules_to_save=["lm_head"])
        with torch.no_grad():
            model.base_model.model.lm_head.modules_to_save["default"].weight.mul_(1.5)
        model.save_pretrained(tmp_path)
        loaded = PeftModel.from_pretrained(tiny.llama(), tmp_path)
        assert torch.equal(tiny.logits(loaded), tiny.logits(model))
        with model.disable_adapter():
            assert torch.equal(tiny.logits(model), tiny.logits(tiny.llama()))

    @pytest.mark.parametrize("bias", ["all", "lora_only"])
    def test_biases(self, tmp_path: Path, bias: str) -> None:
        if Version(peft.__version__) < Version("0.21"):
            with pytest.raises(HypLoraError, match=r"train the biases and not save them; upgrade to PEFT 0.21"):
                tiny.options(bias=bias)
            return
        model = tiny.adapted(tiny.gpt2(), target_modules=["c_attn"], bias=bias)
        trained = [p for name, p in model.named_parameters() if p.requires_grad and name.endswith("bias")]
        assert len(trained) == (2 if bias == "lora_only" else 2 * 6 + 1)
        with torch.no_grad():
            for parameter in trained:
                parameter.add_(0.1)
        model.save_pretrained(tmp_path)
        loaded = PeftModel.from_pretrained(tiny.gpt2(), tmp_path)
        assert torch.equal(tiny.logits(loaded), tiny.logits(model))

    def test_trainable_tokens_and_replicated_layers(self, tmp_path: Path) -> None:
        for given in ({"trainable_token_indices": [3, 4]}, {"layer_replication": [[0, 2], [0, 2]]}):
            model = tiny.adapted(**given)
            model.save_pretrained(tmp_path)
            loaded = PeftModel.from_pretrained(tiny.llama(), tmp_path)
            assert torch.equal(tiny.logits(loaded), tiny.logits(model))
        assert len(tiny.layers(model)) == 12

    def test_the_model_card_says_how_to_load(self, tmp_path: Path) -> None:
        model = two_adapters()
        for _ in range(2):
            model.save_pretrained(tmp_path)
            card = (tmp_path / "README.md").read_text()
            assert card.startswith("---\n")
            assert card.count("`import hyplora`") == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "README.md",
            "adapter_config.json",
            "adapter_model.safetensors",
            "other",
        ]

    def test_a_users_own_readme_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_text("# My configurations\n")
        tiny.options().save_pretrained(tmp_path)
        assert (tmp_path / "README.md").read_text() == "# My configurations\n"

    def test_copy_and_pickle(self) -> None:
        model = two_adapters()
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            for name in ("default", "other"):
                assert torch.equal(alone(twin, name), alone(model, name))
            with torch.no_grad():
                next(iter(tiny.layers(twin).values())).lora_B["other"].weight.zero_()
            assert not torch.equal(tiny.logits(twin), tiny.logits(model))

    def test_state_dicts_without_a_checkpoint(self) -> None:
        model = tiny.adapted()
        tensors = get_peft_model_state_dict(model)
        fresh = get_peft_model(tiny.llama(), tiny.options())
        found = set_peft_model_state_dict(fresh, tensors)
        assert not found.unexpected_keys
        assert torch.equal(tiny.logits(fresh.eval()), tiny.logits(model))
        plain = {name.removeprefix("base_model.model."): tensor for name, tensor in tensors.items()}
        injected = inject_adapter_in_model(
            tiny.options(target_modules=["q_proj", "v_proj", "down_proj"]), tiny.llama(), state_dict=plain
        )
        set_peft_model_state_dict(injected, plain)
        assert torch.equal(tiny.logits(injected), tiny.logits(model))


class TestSeveralAdapters:
    def test_switching(self) -> None:
        model = two_adapters()
        first, second = alone(model, "default"), alone(model, "other")
        assert not torch.allclose(first, second)
        assert torch.equal(first, tiny.logits(tiny.adapted()))
        assert {name.split(".")[-2] for name, p in model.named_parameters() if p.requires_grad} == {"other"}

    def test_two_at_once_add_up_in_each_layer(self) -> None:
        model = two_adapters()
        model.base_model.set_adapter(["default", "other"])
        layer = model.base_model.model.model.layers[0].self_attn.q_proj
        x = torch.randn(3, 32)
        with torch.no_grad():
            expected = layer.base_layer(x) + layer.delta(x, "default") + layer.delta(x, "other")
            torch.testing.assert_close(layer(x), expected)
        assert tiny.logits(model).isfinite().all()

    def test_mixed_batches(self) -> None:
        model = two_adapters()
        ids = tiny.tokens(4)
        expected = {"__base__": tiny.logits(tiny.llama(), ids)}
        for name in ("default", "other"):
            model.set_adapter(name)
            expected[name] = tiny.logits(model, ids)
        names = ["other", "__base__", "default", "other"]
        found = tiny.logits(model, ids, adapter_names=names)
        for row, name in enumerate(names):
            torch.testing.assert_close(found[row], expected[name][row])

    def test_mixed_batches_generate(self) -> None:
        model = two_adapters()
        ids, names = tiny.tokens(2), ["other", "__base__"]
        for beams in (1, 2):
            given: dict[str, Any] = {"max_new_tokens": 4, "num_beams": beams, "do_sample": False}
            mask = torch.ones_like(ids)
            found = model.generate(input_ids=ids, attention_mask=mask, adapter_names=names, **given)
            model.set_adapter("other")
            assert (
                found[0].tolist()[:13]
                == model.generate(input_ids=ids[:1], attention_mask=mask[:1], **given)[0].tolist()
            )
            base = tiny.llama().generate(input_ids=ids[1:], attention_mask=mask[1:], **given)[0]
            assert found[1].tolist()[: len(base)] == base.tolist()

    def test_mixed_batches_that_do_not_fit(self) -> None:
        model = two_adapters()
        with pytest.raises(ValueError, match="non-existing adapter"):
            tiny.logits(model, adapter_names=["default", "typo"])
        with pytest.raises(ValueError, match="Length of `adapter_names`"):
            tiny.logits(model, adapter_names=["default"])

    def test_disabling(self) -> None:
        model = two_adapters()
        with model.disable_adapter():
            assert torch.equal(tiny.logits(model), tiny.logits(tiny.llama()))
        assert not torch.equal(tiny.logits(model), tiny.logits(tiny.llama()))

    def test_deleting(self) -> None:
        model = two_adapters()
        other = alone(model, "other")
        model.delete_adapter("default")
        assert torch.equal(tiny.logits(model), other)
        assert not any(".default." in name for name in model.state_dict())
        model.delete_adapter("other")
        assert torch.equal(tiny.logits(model.base_model.model), tiny.logits(tiny.llama()))
        assert not any("lora_" in name for name in model.state_dict())
        for layer in tiny.layers(model).values():
            assert not layer._all_available_adapter_names()

    def test_unloading(self) -> None:
        base = two_adapters().unload()
        assert tiny.is_plain(base)
        assert torch.equal(tiny.logits(base), tiny.logits(tiny.llama()))
        assert base.state_dict().keys() == tiny.llama().state_dict().keys()

    def test_rescaling(self) -> None:
        model = tiny.adapted(target_modules=["q_proj"], layers_to_transform=[1])
        (layer,) = tiny.layers(model).values()
        x = torch.randn(3, 32)
        with torch.no_grad():
            whole, base = layer(x), layer.base_layer(x)
            with rescale_adapter_scale(model, 0.25):
                torch.testing.assert_close(layer(x) - base, (whole - base) / 4)
            assert torch.equal(layer(x), whole)
            layer.set_scale("default", 2)
            torch.testing.assert_close(layer(x) - base, (whole - base) * 2)
            layer.set_scale("default", torch.tensor(2.0))
            torch.testing.assert_close(layer(x) - base, (whole - base) * 2)
            layer.unscale_layer()
            torch.testing.assert_close(layer(x), whole)

    def test_inference_mode(self) -> None:
        model = get_peft_model(tiny.llama(), tiny.options(inference_mode=True))
        assert not any(p.requires_grad for p in model.parameters())


class TestRefusals:
    def refuse(self, base: nn.Module, line: str, **given: Any) -> None:
        """Check that an adapter is refused in one line, and that nothing of the model has changed."""
        before = [(name, type(module)) for name, module in base.named_modules()]
        with pytest.raises(HypLoraError, match=line) as caught:
            get_peft_model(base, tiny.options(**given))
        assert "\n" not in str(caught.value)
        assert [(name, type(module)) for name, module in base.named_modules()] == before

    def test_merging_leaves_the_model_intact(self) -> None:
        model = two_adapters()
        before = tiny.logits(model)
        layer = next(iter(tiny.layers(model).values()))
        calls = [
            model.merge_and_unload,
            model.merge_adapter,
            lambda: model.merge_and_unload(safe_merge=True, adapter_names=["other"]),
            layer.merge,
            layer.unmerge,
            lambda: layer.get_delta_weight("default"),
        ]
        for call in calls:
            with pytest.raises(HypLoraError, match="cannot be merged into the base weights"):
                call()
        assert torch.equal(tiny.logits(model), before)

    def test_weighted_adapters(self) -> None:
        model = two_adapters()
        with pytest.raises(HypLoraError, match="cannot be added up"):
            model.add_weighted_adapter(["default", "other"], [0.5, 0.5], "both")
        assert list(model.peft_config) == ["default", "other"]

    def test_conversion_to_lora(self, tmp_path: Path) -> None:
        from peft.tuners.lora.conversion import convert_to_lora

        model = tiny.adapted()
        assert not model.supports_lora_conversion()
        with pytest.raises((TypeError, ValueError)):
            convert_to_lora(model, rank=4)
        model.save_pretrained(tmp_path / "first")
        with pytest.raises(HypLoraError, match="path_initial_model_for_weight_conversion does not work"):
            model.save_pretrained(tmp_path / "second", path_initial_model_for_weight_conversion=tmp_path / "first")

    def test_hotswapping(self, tmp_path: Path) -> None:
        model = tiny.adapted()
        model.save_pretrained(tmp_path)
        with pytest.raises(ValueError, match=r"(?i)hot-?swap"):
            hotswap_adapter(model, str(tmp_path), "default")

    def test_lora_in_the_same_model(self) -> None:
        model = tiny.adapted()
        with pytest.raises(ValueError, match="different peft types"):
            model.add_adapter("another", LoraConfig(target_modules=["up_proj"]))
        model = get_peft_model(tiny.llama(), LoraConfig(target_modules=["up_proj"]))
        with pytest.raises(ValueError, match="different peft types"):
            model.add_adapter("another", tiny.options())
        with pytest.raises(ValueError, match="HYPLORA"):
            get_peft_model(tiny.llama(), tiny.options(), mixed=True)

    @pytest.mark.filterwarnings("ignore:You are trying to modify a model with PEFT for a second time:UserWarning")
    def test_two_methods_on_one_layer(self) -> None:
        base = get_peft_model(tiny.llama(), LoraConfig(target_modules=["q_proj"])).base_model.model
        self.refuse(
            base,
            "has adapters of another kind already, peft.tuners.lora.layer.Linear in model.layers.0.self_attn.q_proj",
        )
        base = tiny.adapted().base_model.model
        before = tiny.logits(base)
        with pytest.raises(HypLoraError, match=r"takes none of another PEFT method .* here Lora;"):
            get_peft_model(base, LoraConfig(target_modules=["q_proj"]), adapter_name="another")
        layer = next(iter(tiny.layers(base).values()))
        with pytest.raises(HypLoraError, match=r"takes no other kind, here LoraConfig for the adapter 'another'"):
            layer.update_layer("another", 2, lora_alpha=2, config=LoraConfig())
        assert torch.equal(tiny.logits(base), before)
        self.refuse(base, "HypLoRA adapter called 'default' already; choose another name")

    @pytest.mark.filterwarnings("ignore:You are trying to modify a model with PEFT for a second time:UserWarning")
    @pytest.mark.parametrize(
        "config",
        [
            LoHaConfig(r=2, target_modules=["q_proj"]),
            LoHaConfig(r=2, target_modules=["up_proj"]),  # where there is no HypLoRA
            IA3Config(target_modules=["q_proj", "up_proj"], feedforward_modules=["up_proj"]),
            OFTConfig(oft_block_size=4, target_modules=["q_proj"]),
        ],
    )
    def test_other_methods_around_it(self, config: PeftConfig) -> None:
        model = tiny.adapted()
        before, modules = tiny.logits(model), [(name, type(module)) for name, module in model.named_modules()]
        trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        line = f"takes none of another PEFT method that changes layers, here {config.peft_type.value[:2]}"
        for wrap in (
            lambda: get_peft_model(model, config),
            lambda: get_peft_model(model.base_model.model, config),
            lambda: inject_adapter_in_model(config, model.base_model.model, "another"),
        ):
            with pytest.raises(HypLoraError, match=f"(?i){line}") as caught:
                wrap()
            assert "\n" not in str(caught.value)
            assert torch.equal(tiny.logits(model), before)
            assert [(name, type(module)) for name, module in model.named_modules()] == modules
            assert [name for name, parameter in model.named_parameters() if parameter.requires_grad] == trained
        # Without adapters there is nothing to refuse.
        get_peft_model(model.unload(), config)

    @pytest.mark.parametrize("targets", [["embed_tokens"], ["mlp"], ["norm", "q_proj"], "model.norm", ["rotary_emb"]])
    def test_targets_that_are_not_linear(self, targets: Any) -> None:
        line = "is of type Llama|is of type Embedding"
        self.refuse(
            tiny.llama(),
            rf"^the target module \S+ ({line})\S* and not a linear layer .* q_proj, k_proj",
            target_modules=targets,
        )

    def test_layers_whose_weight_is_taken_without_a_call(self) -> None:
        class Attention(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.attention = nn.MultiheadAttention(8, 2)
                self.conv = nn.Conv1d(4, 4, 1)

        given = {"task_type": None}
        self.refuse(Attention(), "is of type NonDynamicallyQuantizableLinear", target_modules=["out_proj"], **given)
        self.refuse(Attention(), "is of type MultiheadAttention", target_modules=["attention"], **given)
        self.refuse(Attention(), "is of type Conv1d", target_modules=["conv"], **given)
        mamba = nn.Sequential()
        mamba.add_module("out_proj", nn.Linear(4, 4))
        mamba.config = SimpleNamespace(model_type="mamba", to_dict=lambda: {"model_type": "mamba"})
        with pytest.raises(ValueError, match="incompatible with Mamba"):
            get_peft_model(mamba, HypLoraConfig(target_modules=["out_proj"]))
        assert type(mamba.out_proj) is nn.Linear

    @pytest.mark.parametrize("targets", [["q_proj", "typo"], ["typo"], r".*\.typo"])
    def test_names_that_match_nothing(self, targets: Any) -> None:
        line = "typo.*; its linear layers are called: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm"
        self.refuse(tiny.llama(), line, target_modules=targets)
        model = tiny.adapted()
        with pytest.raises(HypLoraError, match=line):
            model.add_adapter("other", tiny.options(target_modules=targets))
        assert list(model.peft_config) == ["default"]

    @pytest.mark.parametrize(
        "given",
        [
            {"layers_to_transform": [9]},
            {"target_modules": []},
            {"exclude_modules": ["q_proj", "v_proj", "down_proj"]},
        ],
    )
    def test_nothing_is_left_to_adapt(self, given: dict[str, Any]) -> None:
        option = next(iter(given))
        line = rf"{option}=.* leave no layer to adapt; its linear layers are called: q_proj, k_proj"
        self.refuse(tiny.llama(), line, **given)

    def test_values_that_are_refused_leave_the_model_alone(self) -> None:
        for option, value in {"alpha_pattern": {"v_proj": "a"}, "bias": "foo", "lora_dropout": 2.0}.items():
            config = tiny.options()
            setattr(config, option, value)
            model = tiny.adapted()
            before, keys = tiny.logits(model), list(model.state_dict())
            with pytest.raises(HypLoraError, match=option):
                model.add_adapter("other", config)
            assert list(model.state_dict()) == keys
            assert list(model.peft_config) == ["default"]
            assert torch.equal(tiny.logits(model), before)
            model.add_adapter("other", tiny.options())

    @pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
    def test_stopped_on_the_way_the_model_is_put_back(
        self, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
    ) -> None:
        calls = 0
        whole = hyplora.HypLoraLinear.update_layer

        def fails(self: hyplora.HypLoraLinear, *args: Any, **kwargs: Any) -> None:
            nonlocal calls
            calls += 1
            whole(self, *args, **kwargs)
            if calls == 3:
                raise stop("on the way")

        def state(model: nn.Module) -> Any:
            return (
                str(model),
                [(name, p.requires_grad) for name, p in model.named_parameters()],
                [(layer.active_adapters, layer.scaling, layer.form) for layer in tiny.layers(model).values()],
            )

        base = tiny.llama()
        model = tiny.adapted()
        model.add_adapter("some", tiny.options(target_modules=["q_proj"]))
        replicated = {"layer_replication": [[0, 2], [1, 2]]}
        before = state(base), copy.deepcopy(state(model))
        with monkeypatch.context() as patch:
            patch.setattr(hyplora.HypLoraLinear, "update_layer", fails)
            for given in ({}, replicated):
                calls = 0
                with pytest.raises(stop, match="on the way"):
                    get_peft_model(base, tiny.options(**given))
                assert state(base) == before[0]
                assert base.config.num_hidden_layers == 2
            calls = 0
            with pytest.raises(stop, match="on the way"):
                model.add_adapter("other", tiny.options(target_modules=["q_proj", "k_proj"], form="time"))
        assert state(model) == before[1]
        assert list(model.peft_config) == ["default", "some"]
        model.add_adapter("other", tiny.options(form="time"))
        get_peft_model(base, tiny.options())

    def test_a_configuration_changed_after_it_was_made(self) -> None:
        config = tiny.options()
        config.use_dora = True
        base = tiny.llama()
        with pytest.raises(HypLoraError, match="use_dora does not work with HypLoRA: DoRA scales"):
            get_peft_model(base, config)
        assert tiny.is_plain(base)

    def test_tensor_parallelism(self) -> None:
        base = tiny.llama()
        base.model.layers[1].self_attn.v_proj._hf_tp_plan = "colwise"
        self.refuse(base, "does not work with tensor parallelism")
        base = tiny.llama()
        base._tp_size = 2
        self.refuse(base, "does not work with tensor parallelism")

    def test_a_checkpoint_edited_to_be_lora_is_noticed(self, tmp_path: Path) -> None:
        tiny.adapted().save_pretrained(tmp_path)
        file = tmp_path / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"peft_type": "LORA"}))
        with pytest.warns(UserWarning, match="Unexpected keyword arguments .*hyplora_format"):
            PeftModel.from_pretrained(tiny.llama(), tmp_path)


def test_all_linear_and_patterns() -> None:
    model = tiny.adapted(target_modules="all-linear", exclude_modules=["o_proj"], rank_pattern={"up_proj": 7})
    found = tiny.layers(model)
    assert {name.rpartition(".")[2] for name in found} == {
        "q_proj",
        "k_proj",
        "v_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    }
    assert {name.rpartition(".")[2] for name, layer in found.items() if layer.r["default"] == 7} == {"up_proj"}
    model = tiny.adapted(layers_to_transform=[1])
    assert {name.split(".")[4] for name in tiny.layers(model)} == {"1"}
    model = tiny.adapted(target_modules=r".*\.0\.self_attn\.[qv]_proj")
    assert len(tiny.layers(model)) == 2


def test_nothing_warns_when_the_default_targets_are_taken() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        model = get_peft_model(tiny.llama(), HypLoraConfig(task_type="CAUSAL_LM"))
    assert {name.rpartition(".")[2] for name in tiny.layers(model)} == {"q_proj", "v_proj"}
