"""What a section dataclass says about the file: its fields, marks and key."""

import dataclasses
import types
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from .values import Key, Label, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field: its bare type, whether it may be absent or null, and its marks."""

    name: str
    hint: Any
    required: bool
    nullable: bool
    value: Value | None
    label: Label | None
    key: Key | None


@cache
def specs(section: type) -> tuple[FieldSpec, ...]:
    """The fields of a section dataclass in the order of its definition."""
    hints = get_type_hints(section, include_extras=True)
    return tuple(_spec(field, hints[field.name]) for field in dataclasses.fields(section))


def key_of(section: type) -> FieldSpec | None:
    """The field that takes the mapping key; None for a section that stands alone."""
    return next((spec for spec in specs(section) if spec.key), None)


def only_value_of(section: type) -> FieldSpec | None:
    """The single field besides the key, where `key: value` says it all."""
    others = [spec for spec in specs(section) if not spec.key]
    return others[0] if len(others) == 1 else None


def _spec(field: "dataclasses.Field[Any]", hint: Any) -> FieldSpec:
    marks: list[Any] = []
    if get_origin(hint) is Annotated:
        hint, *marks = get_args(hint)
    nullable = get_origin(hint) in {Union, types.UnionType}
    if nullable:
        hint = next(option for option in get_args(hint) if option is not type(None))
    return FieldSpec(
        name=field.name,
        hint=hint,
        required=field.default is dataclasses.MISSING,
        nullable=nullable,
        value=next((mark for mark in marks if isinstance(mark, Value)), None),
        label=next((mark for mark in marks if isinstance(mark, Label)), None),
        key=next((mark for mark in marks if isinstance(mark, Key)), None),
    )
