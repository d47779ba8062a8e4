"""Reading one written value as the type its field declares."""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args, get_origin

from .nodes import Node, Scalar, Sequence
from .problems import Mark
from .values import DayInterval, Interval

_WHOLE = re.compile(r"[-+]?\d{1,9}")
_DECIMAL = re.compile(r"[-+]?\d{1,18}(\.\d{1,9})?")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class MisreadError(Exception):
    """A written value that is not what its field holds."""

    def __init__(self, node: Node, message: str) -> None:
        super().__init__(message)
        self.mark: Mark = node.mark
        self.message = message


def read_value(hint: Any, node: Node) -> object:
    """The value of `node` as `hint`: str, int, Decimal, bool, date, time, a StrEnum, an
    interval, or a tuple of these. Not readable as such: MisreadError."""
    if get_origin(hint) is tuple:
        member = get_args(hint)[0]
        return tuple(read_value(member, one) for one in _members(node, "a list such as [a, b]"))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _choice(hint, node)
    return _READERS[hint](node)


def can_read(hint: Any) -> bool:
    """Whether `hint` is a type of this module rather than a section of its own."""
    if get_origin(hint) is tuple:
        return can_read(get_args(hint)[0])
    return hint in _READERS or (isinstance(hint, type) and issubclass(hint, StrEnum))


def _text_of(node: Node, wanted: str) -> str:
    if isinstance(node, Scalar) and not node.is_null:
        return node.text
    raise MisreadError(node, f"Write {wanted} here.")


def _plain(node: Node, pattern: re.Pattern[str], wanted: str) -> str:
    text = _text_of(node, wanted)
    if isinstance(node, Scalar) and not node.plain:
        raise MisreadError(node, f"Write {wanted} here, without quotes.")
    if not pattern.fullmatch(text):
        raise MisreadError(node, f"{text!r} is not {wanted}.")
    return text


def _members(node: Node, wanted: str) -> list[Node]:
    if isinstance(node, Sequence):
        return node.members
    raise MisreadError(node, f"Write {wanted} here.")


def _choice(kind: type[StrEnum], node: Node) -> StrEnum:
    allowed = ", ".join(member.value for member in kind)
    text = _text_of(node, f"one of {allowed}")
    try:
        return kind(text)
    except ValueError:
        raise MisreadError(node, f"{text!r} is not one of {allowed}.") from None


def _string(node: Node) -> str:
    text = _text_of(node, "a text")
    if text.strip():
        return text.strip()
    raise MisreadError(node, "The text is empty; write it or leave the line out.")


def _whole(node: Node) -> int:
    return int(_plain(node, _WHOLE, "a whole number"))


def _decimal(node: Node) -> Decimal:
    return Decimal(_plain(node, _DECIMAL, "a decimal number such as 2.5"))


def _boolean(node: Node) -> bool:
    return _plain(node, re.compile("true|false"), "true or false") == "true"


def _date(node: Node) -> dt.date:
    text = _text_of(node, "a date such as 2026-11-22")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise MisreadError(node, f"{text!r} is not a date such as 2026-11-22.") from None


def _clock(node: Node) -> dt.time:
    text = _text_of(node, "a clock time such as 08:00")
    if not _CLOCK.fullmatch(text):
        raise MisreadError(node, f"{text!r} is not a clock time such as 08:00.")
    return dt.time.fromisoformat(text)


def _pair(node: Node, wanted: str) -> tuple[Node, Node]:
    members = _members(node, wanted)
    if len(members) != 2:
        raise MisreadError(node, f"Write {wanted} here: two numbers, not {len(members)}.")
    return members[0], members[1]


def _days(node: Node) -> DayInterval:
    first, last = _pair(node, "the first and last day such as [2, 4]")
    interval = DayInterval(first=_whole(first), last=_whole(last))
    if interval.first > interval.last:
        raise MisreadError(node, f"{interval} ends before it starts; swap the two days.")
    return interval


def _interval(node: Node) -> Interval:
    ends = _pair(node, "the lowest and highest value such as [1, 2.5]")
    low, high = (None if isinstance(n, Scalar) and n.is_null else _decimal(n) for n in ends)
    if low is not None and high is not None and low > high:
        raise MisreadError(node, f"{low} is above {high}; swap the two.")
    return Interval(low=low, high=high)


_READERS: dict[Any, Callable[[Node], object]] = {
    str: _string,
    int: _whole,
    Decimal: _decimal,
    bool: _boolean,
    dt.date: _date,
    dt.time: _clock,
    DayInterval: _days,
    Interval: _interval,
}
