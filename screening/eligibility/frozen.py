"""Facts and evaluations as canonical JSON, so that a signed evaluation can be made again.

Decimals and dates are text, keys are sorted, nothing depends on the machine. The same facts
in another order of results are the same text.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import types
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from .facts import Facts, JudgementFact

_NUMBER = "number"


def canonical_json(value: object) -> str:
    """The one text of a value: sorted keys, no spaces, Decimals and moments as text."""
    return json.dumps(encoded(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def content_hash(text: str) -> str:
    """SHA-256 of a canonical text (hex)."""
    return hashlib.sha256(text.encode()).hexdigest()


def frozen_facts(facts: Facts) -> str:
    """The facts as canonical JSON, in the order of `in_order`."""
    return canonical_json(in_order(facts))


def facts_hash(facts: Facts) -> str:
    """What the facts of an evaluation are known by."""
    return content_hash(frozen_facts(facts))


def thawed_facts(text: str) -> Facts:
    """The facts that `frozen_facts` wrote."""
    facts = _decoded(Facts, json.loads(text))
    assert isinstance(facts, Facts)
    return facts


def in_order(facts: Facts) -> Facts:
    """The same facts, results, items and allergies in the one order that texts have."""
    return dataclasses.replace(
        facts,
        labs=_sorted(facts.labs),
        items={oid: _sorted(values) for oid, values in facts.items.items()},
        allergies=None if facts.allergies is None else _sorted(facts.allergies),
    )


def _sorted(members: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(members, key=canonical_json))


def encoded(value: Any) -> Any:
    """A value in JSON's own types. A number that could also be a text says so."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): encoded(member) for key, member in value.items()}
    if isinstance(value, tuple | list):
        return [encoded(member) for member in value]
    for kind, write in _TEXTS.items():
        if isinstance(value, kind):
            return write(value)
    return {spec.name: encoded(getattr(value, spec.name)) for spec in dataclasses.fields(value)}


_TEXTS: dict[type, Callable[[Any], Any]] = {
    Decimal: lambda value: {_NUMBER: format(value, "f")},
    dt.date: lambda value: value.isoformat(),
    UUID: str,
}


@lru_cache(maxsize=32)
def _hints(section: type) -> dict[str, Any]:
    return get_type_hints(section)


def _decoded(hint: Any, value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {_NUMBER}:
        return Decimal(value[_NUMBER])
    if get_origin(hint) in {Union, types.UnionType}:
        options = [option for option in get_args(hint) if option is not type(None)]
        if value is not None and len(options) == 1:
            return _decoded(options[0], value)
        return tuple(value) if isinstance(value, list) else value
    if get_origin(hint) is tuple:
        return tuple(_decoded(get_args(hint)[0], member) for member in value)
    if get_origin(hint) is Mapping:
        return {key: _decoded(get_args(hint)[1], member) for key, member in value.items()}
    if dataclasses.is_dataclass(hint):
        section: Any = hint
        hints = _hints(section)
        return section(**{name: _decoded(hints[name], member) for name, member in value.items()})
    if hint in {dt.datetime, dt.date}:
        return hint.fromisoformat(value)
    return value if hint in {str, bool, int} else hint(value)


def thawed_judgements(text: str) -> dict[str, JudgementFact]:
    """Only the judgements among the facts that `frozen_facts` wrote."""
    kept = json.loads(text)["judgements"]
    return {name: _decoded(JudgementFact, member) for name, member in kept.items()}


def thawed(section: type[Any], text: str) -> Any:
    """A value of this section of plain data from the text that `canonical_json` wrote.

    What a union cannot tell apart stays as written: a moment among parameters stays text.
    """
    return _decoded(section, json.loads(text))
