"""PEFT's list of methods gets the entry HYPLORA.

``register_peft_method`` takes only names that are members of the enumeration ``PeftType``, and Python has no public way
to add a member to an enumeration that has some. So the member is made by hand, and then put to every use that PEFT and
transformers make of one: should a Python or PEFT to come keep its members otherwise, the import fails here, with the
reason, and nothing half-registered is left to surprise later.
"""

from __future__ import annotations

import copy
import json
import pickle
import sys
from collections.abc import Callable

import peft
from peft.utils.peft_types import PeftType

__all__ = ["HYPLORA"]

_NAME = "HYPLORA"


def _add_member(name: str) -> PeftType:
    """Make what ``name = "name"`` in the body of the class would have made."""
    if name in PeftType.__members__:
        raise ImportError(
            f"PEFT {peft.__version__} has a method called {name} of its own, which hyplora cannot replace"
        )
    member = str.__new__(PeftType, name)
    member._name_ = name
    member._value_ = name
    member.__objclass__ = PeftType
    member._sort_order_ = len(PeftType.__members__)
    PeftType._member_names_.append(name)
    PeftType._member_map_[name] = member
    PeftType._value2member_map_[name] = member
    if hasattr(PeftType, "_hashable_values_"):  # Python 3.13 and later
        PeftType._hashable_values_.append(name)
    type.__setattr__(PeftType, name, member)  # the class itself refuses to have its members set
    return member


def _check(member: PeftType) -> None:
    uses: dict[str, Callable[[], bool]] = {
        "PeftType.HYPLORA": lambda: getattr(PeftType, _NAME) is member,
        "PeftType['HYPLORA']": lambda: PeftType[_NAME] is member,
        "PeftType('HYPLORA')": lambda: PeftType(_NAME) is member,
        "'HYPLORA' in PeftType": lambda: member in PeftType and list(PeftType).count(member) == 1,
        "'HYPLORA' in list(PeftType)": lambda: _NAME in list(PeftType),
        "name and value": lambda: (member.name, member.value, str.__str__(member)) == (_NAME, _NAME, _NAME),
        "a key of a dictionary": lambda: {member: 1}[PeftType(_NAME)] == 1 and {_NAME: 1}[member] == 1,
        "copy.deepcopy": lambda: copy.deepcopy(member) is member,
        "pickle": lambda: pickle.loads(pickle.dumps(member)) is member,
        "json": lambda: json.dumps(member) == f'"{_NAME}"',
        "the other members": lambda: PeftType("LORA") is PeftType.LORA and member != PeftType.LORA,
    }
    for use, holds in uses.items():
        try:
            failed = not holds()
        except Exception:  # whatever it raises, the member cannot be used so
            failed = True
        if failed:
            python = ".".join(map(str, sys.version_info[:3]))
            raise ImportError(
                f"hyplora cannot add HYPLORA to the methods of PEFT {peft.__version__} on Python {python}: {use} fails"
            )


HYPLORA = _add_member(_NAME)
_check(HYPLORA)
