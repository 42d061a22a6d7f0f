"""HYPLORA among PEFT's methods, with and without the import."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import peft
import pytest
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.utils import PeftType

import hyplora
from hyplora import peft_type
from tests.hyplora import tiny

pytestmark = tiny.allow_third_party


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300)


def test_the_method_is_a_member_like_any_other() -> None:
    member = PeftType.HYPLORA
    assert member == "HYPLORA"
    assert PeftType("HYPLORA") is PeftType["HYPLORA"] is member
    assert list(PeftType)[-1] is member
    assert len(set(PeftType)) == len(PeftType)
    assert copy.deepcopy(member) is member
    assert pickle.loads(pickle.dumps(member)) is member
    assert json.loads(json.dumps({"peft_type": member})) == {"peft_type": "HYPLORA"}
    assert repr(member) == "<PeftType.HYPLORA: 'HYPLORA'>"


def test_peft_has_it_in_its_tables() -> None:
    assert PEFT_TYPE_TO_CONFIG_MAPPING[PeftType.HYPLORA] is hyplora.HypLoraConfig
    assert PEFT_TYPE_TO_TUNER_MAPPING[PeftType.HYPLORA] is hyplora.HypLoraModel


def test_a_method_of_the_same_name_in_peft_is_not_replaced() -> None:
    with pytest.raises(ImportError, match=rf"PEFT {peft.__version__} has a method called HYPLORA of its own"):
        peft_type._add_member("HYPLORA")


def test_an_enumeration_that_keeps_its_members_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(PeftType._value2member_map_, "HYPLORA")
    with pytest.raises(ImportError, match=r"cannot add HYPLORA to the methods of PEFT .* fails"):
        peft_type._check(PeftType.HYPLORA)


def test_a_checkpoint_without_the_import_fails_loudly_and_with_it_loads(tmp_path: Path) -> None:
    tiny.saved_llama(tmp_path / "base")
    tiny.adapted().save_pretrained(tmp_path / "adapter")
    attempt = """
import sys
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftConfig, PeftModel
from transformers import AutoModelForCausalLM
base, adapter = sys.argv[1:]
loaders = {
    "config": lambda: PeftConfig.from_pretrained(adapter),
    "lora": lambda: LoraConfig.from_pretrained(adapter),
    "peft": lambda: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter),
    "auto": lambda: AutoPeftModelForCausalLM.from_pretrained(adapter),
    "transformers": lambda: AutoModelForCausalLM.from_pretrained(base).load_adapter(adapter),
}
for name, load in loaders.items():
    try:
        load()
    except KeyError as error:
        print(name, repr(error))
import hyplora
PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
print("loaded")
"""
    found = python(attempt, str(tmp_path / "base"), str(tmp_path / "adapter"))
    assert found.returncode == 0, found.stderr
    refused = [f"{name} KeyError('HYPLORA')" for name in ("config", "lora", "peft", "auto", "transformers")]
    assert found.stdout.splitlines() == [*refused, "loaded"]


def test_what_a_command_imports_first_does_not_wait_for_torch() -> None:
    # As `python -m hyplora.answers` starts: the package, then its module, which needs neither torch nor PEFT.
    code = """
import sys
sys.orig_argv = ["python", "-m", "hyplora.answers"]
import hyplora.answers
print("torch" in sys.modules)
"""
    found = python(code)
    assert (found.returncode, found.stdout.strip()) == (0, "False"), found.stderr
