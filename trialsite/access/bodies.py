"""Request bodies, read without mercy: no float, no double key, no depth, no unknown name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.serializers import Serializer, ValidationError

MAX_DEPTH = 12


class StrictJSON(BaseParser):
    """JSON whose numbers stay exact and whose text can be stored."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Any = None,  # noqa: ARG002
    ) -> dict[str, Any]:
        try:
            read = json.loads(
                stream.read().decode("utf-8"),
                parse_float=Decimal,
                parse_constant=_refuse_constant,
                object_pairs_hook=_object,
            )
        # Not only JSONDecodeError: undecodable bytes, a number of 5,000 digits, an exponent
        # beyond Decimal and a tower of brackets each fail in their own way.
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise ParseError(_("This is not JSON that can be read.")) from error
        if not isinstance(read, dict):
            raise ParseError(_("Send one JSON object."))
        _refuse_unstorable(read)
        return read


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names differ: of two values for one item, none can be trusted."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _refuse_unstorable(read: Any) -> None:
    """Too deep, or text that PostgreSQL has no form for (NUL, half a surrogate pair)."""
    level: list[Any] = [read]
    for _depth in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                _refuse_text(each)
            elif isinstance(each, dict):
                below += [*each, *each.values()]
            elif isinstance(each, list):
                below += each
        if not below:
            return
        level = below
    raise ParseError(_("This is nested too deeply."))


def _refuse_text(text: str) -> None:
    if "\x00" in text or not _encodable(text):
        raise ParseError(_("This text holds a character that cannot be kept."))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Body(Serializer[Any]):
    """A request body; a name it does not know is refused, not passed over."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = {
                str(name)[:100]: [_("There is no such field here.")]
                for name in data
                if name not in self.fields
            }
            if unknown:
                raise ValidationError(unknown)
        return super().to_internal_value(data)
