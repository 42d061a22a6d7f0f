"""The configuration: what it takes, what it refuses, what it saves."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
from peft import EvaConfig, LoftQConfig, LoraConfig, PeftConfig
from peft.tuners.lora.config import CordaConfig, LoraRuntimeConfig

from hyplora import HypLoraConfig, HypLoraError, config


def test_lora_options_have_loras_defaults() -> None:
    lora, ours = LoraConfig(), HypLoraConfig()
    for option in dataclasses.fields(LoraConfig):
        if option.name != "peft_type":
            assert getattr(ours, option.name) == getattr(lora, option.name)


@pytest.mark.parametrize(
    ("given", "scale", "learned"),
    [
        ({}, "sqrt_dim", True),
        ({"form": "time"}, "sqrt_dim", True),
        ({"form": "simplified"}, 1.0, False),
        ({"form": "simplified", "norm_scale": "sqrt_dim"}, "sqrt_dim", True),
        ({"norm_scale": 1}, 1.0, False),
        ({"norm_scale": 64, "learn_norm_scale": True}, 64.0, True),
        ({"norm_scale": "sqrt_dim", "learn_norm_scale": False}, "sqrt_dim", False),
    ],
)
def test_norm_scale(given: dict[str, Any], scale: float | str, learned: bool) -> None:
    made = HypLoraConfig(**given)
    assert (made.norm_scale, made.learn_norm_scale) == (scale, learned)


def test_saves_and_loads(tmp_path: Path) -> None:
    made = HypLoraConfig(
        r=3,
        target_modules=["q", "v"],
        form="time",
        curvature=2,
        learn_curvature=False,
        norm_scale=7,
        rank_pattern={"q": 5},
    )
    made.save_pretrained(tmp_path)
    for reader in (PeftConfig, LoraConfig, HypLoraConfig):
        loaded = reader.from_pretrained(tmp_path)
        assert isinstance(loaded, HypLoraConfig)
        assert loaded == made


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    HypLoraConfig().save_pretrained(tmp_path)
    file = tmp_path / "adapter_config.json"
    saved = json.loads(file.read_text())
    assert saved["hyplora_format"] == config.FORMAT
    file.write_text(json.dumps(saved | {"hyplora_format": config.FORMAT + 1}))
    with pytest.raises(
        HypLoraError, match=r"hyplora_format 2, and this version of hyplora reads up to 1; upgrade hyplora"
    ):
        PeftConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "big", None, True, 1e-30, 1e30])
@pytest.mark.parametrize("name", ["curvature", "norm_scale"])
def test_numbers_that_are_no_curvature_or_scale(name: str, value: Any) -> None:
    if name == "norm_scale" and value is None:
        pytest.skip("None is the default of norm_scale")
    with pytest.raises(HypLoraError, match=rf"^{name} must be [^\n]+$"):
        HypLoraConfig(**{name: value})


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"r": 0}, "r must be a whole number and at least 1, not 0"),
        ({"r": -2}, "r must be a whole number and at least 1, not -2"),
        ({"r": 2.5}, "r must be a whole number"),
        ({"rank_pattern": {"q_proj": 0}}, r"rank_pattern\['q_proj'\] must be a whole number"),
        ({"rank_pattern": ["q_proj"]}, "rank_pattern must be a dictionary by name of layer"),
        ({"lora_alpha": "x"}, "lora_alpha must be a finite number, not 'x'"),
        ({"lora_alpha": None}, "lora_alpha must be a finite number, not None"),
        ({"lora_alpha": math.nan}, "lora_alpha must be a finite number, not nan"),
        ({"lora_alpha": math.inf}, "lora_alpha must be a finite number, not inf"),
        ({"alpha_pattern": {"v_proj": "a"}}, r"alpha_pattern\['v_proj'\] must be a finite number, not 'a'"),
        ({"lora_dropout": None}, "lora_dropout must be a number from 0 to below 1, not None"),
        ({"lora_dropout": "a"}, "lora_dropout must be a number"),
        ({"lora_dropout": math.nan}, "lora_dropout must be a number"),
        ({"lora_dropout": -0.1}, "lora_dropout must be a number"),
        ({"lora_dropout": 1.0}, "lora_dropout must be a number"),
        ({"target_modules": 3}, "target_modules must be a list of names of layers, or one pattern, not 3"),
        ({"target_modules": [3]}, "target_modules must be a list of names"),
        ({"bias": "foo"}, "unknown bias 'foo'; choose one of: none, all, lora_only"),
        ({"form": "poincare"}, "unknown form 'poincare'; choose one of: space, time, simplified"),
        ({"form": None}, "unknown form None"),
        ({"learn_curvature": "yes"}, "learn_curvature must be True or False"),
        ({"learn_norm_scale": 1}, "learn_norm_scale must be True or False"),
    ],
)
def test_values_out_of_range(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        HypLoraConfig(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"use_dora": True},
        {"use_qalora": True},
        {"qalora_group_size": 8},
        {"lora_bias": True},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "pissa_niter_4"},
        {"init_lora_weights": "olora"},
        {"init_lora_weights": "eva", "eva_config": EvaConfig()},
        {"init_lora_weights": "corda", "corda_config": CordaConfig()},
        {"init_lora_weights": "loftq", "loftq_config": LoftQConfig()},
        {"init_lora_weights": "orthogonal"},
        {"eva_config": EvaConfig()},
        {"loftq_config": {"loftq_bits": 4}},
        {"target_parameters": ["experts.gate_up_proj"]},
        {"alora_invocation_tokens": [1, 2]},
        {"megatron_config": {"a": 1}},
        {"megatron_core": "elsewhere"},
        {"ensure_weight_tying": True},
        {"runtime_config": LoraRuntimeConfig(ephemeral_gpu_offload=True)},
    ],
    ids=lambda given: next(reversed(given)) + "=" + str(next(iter(given.values())))[:12],
)
def test_what_does_not_combine_is_refused_with_the_reason(given: dict[str, Any]) -> None:
    with pytest.raises(HypLoraError, match=r"does not work with HypLoRA[:,] \w[^\n]+$"):
        HypLoraConfig(**given)


def test_the_docstring_has_its_sections() -> None:
    lines = (HypLoraConfig.__doc__ or "").splitlines()
    for heading in ("Parameters", "Raises", "Notes"):
        assert lines[lines.index(f"    {heading}") + 1] == f"    {'-' * len(heading)}"


def test_every_option_of_lora_is_taken_or_refused_on_purpose() -> None:
    known = {option.name for option in dataclasses.fields(LoraConfig)}
    others = {
        "loftq_config",
        "megatron_core",
        "qalora_group_size",
        "runtime_config",
        "velora_config",
        "monteclora_config",
    }
    assert known <= config._LORA | config._REASONS.keys() | others
    assert not config._LORA & config._REASONS.keys()


def test_an_option_that_a_future_peft_adds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass
    class FutureLora:
        use_brand_new_variant: bool = False

    future = [*dataclasses.fields(LoraConfig), *dataclasses.fields(FutureLora)]
    monkeypatch.setattr(config, "fields", lambda of: future)
    monkeypatch.setattr(LoraConfig, "use_brand_new_variant", False, raising=False)
    made = HypLoraConfig()
    made.use_brand_new_variant = True
    with pytest.raises(HypLoraError, match=r"use_brand_new_variant does not work with HypLoRA: .* does not know"):
        made.validate()


def test_custom_lora_modules_are_refused() -> None:
    made = HypLoraConfig()
    made._register_custom_module({int: float})
    with pytest.raises(HypLoraError, match="custom LoRA modules"):
        made.validate()
