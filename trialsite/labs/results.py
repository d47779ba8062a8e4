"""Reading a printed result: its number, its unit, its place in the laboratory's range.

Nothing is guessed. What can be read in two ways is refused with a code, and a value keeps
the digits the laboratory printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, Inexact, localcontext
from enum import StrEnum

from trialsite.protocol.labs import Analyte

#: "" is an exact value; the others say on which side of the number the true value lies.
COMPARATORS = ("", "<", "<=", ">", ">=")
LONGEST = 40


class Refusal(StrEnum):
    """Why a text is no result."""

    BLANK = "blank"
    TOO_LONG = "too_long"
    AMBIGUOUS_COMMA = "ambiguous_comma"
    EXPONENT = "exponent"
    SPECIMEN = "unusable_specimen"
    NOT_DONE = "not_done"
    NOT_A_NUMBER = "not_a_number"


class Qualitative(StrEnum):
    """A result in words instead of a number."""

    NOT_DETECTED = "not_detected"
    BELOW_LLOQ = "below_lloq"
    NEGATIVE = "negative"
    POSITIVE = "positive"


class Flag(StrEnum):
    """Where a result lies in the reporting laboratory's range; a limit alone may leave it open."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    UNKNOWN = "unknown"


class ResultError(ValueError):
    """A text that is no result; `code` says why."""

    def __init__(self, code: Refusal) -> None:
        super().__init__(code.value)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A printed result: a number with its comparator, or a finding in words.

    `printed_flag` is the laboratory's own mark (H, L, HH, LL or *), kept apart from ours.
    """

    comparator: str = ""
    value: Decimal | None = None
    printed_flag: str = ""
    qualitative: Qualitative | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSlip:
    """The suspicion that a number was printed in another unit than the one stated.

    `others` are further units that would explain it as well.
    """

    suggested_unit: str
    suggested_canonical: Decimal
    others: tuple[str, ...] = ()


# Only full-width ASCII is folded: compatibility normalisation would turn 10² into 102.
_FOLDED = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: " ",
    0x00A0: " ",
    0x202F: " ",
    0x2009: " ",
    0x3002: ".",
    0xFF61: ".",
    0x2212: "-",
    0x2010: "-",
    0x2011: "-",
    0x2264: "<=",
    0x2266: "<=",
    0x2A7D: "<=",
    0x2265: ">=",
    0x2267: ">=",
    0x2A7E: ">=",
    0x2191: "↑",
    0x21E7: "↑",
    0x2B06: "↑",
    0x21E9: "↓",
    0x2B07: "↓",
    0x00D7: "*",
    0xFE0F: None,
    0x200B: None,
    0xFEFF: None,
}
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_LOWERED = str.maketrans(_RAISED + "⁻⁺", "0123456789-+")
_WORDS = {
    **dict.fromkeys(("未检出", "未检测到", "检测不到", "低于检测下限"), Qualitative.NOT_DETECTED),
    **dict.fromkeys(("not detected", "target not detected", "tnd"), Qualitative.NOT_DETECTED),
    **dict.fromkeys(("undetected", "undetectable", "<lod", "< lod"), Qualitative.NOT_DETECTED),
    **dict.fromkeys(("<lloq", "< lloq", "<loq", "低于定量下限"), Qualitative.BELOW_LLOQ),
    **dict.fromkeys(("阴性", "阴性(-)", "negative", "neg"), Qualitative.NEGATIVE),
    **dict.fromkeys(("阳性", "阳性(+)", "positive", "pos"), Qualitative.POSITIVE),
}
_SPECIMEN = (
    *("溶血", "haemoly", "hemoly", "脂血", "乳糜", "lipaem", "lipem", "凝块", "标本凝固"),
    *("clotted", "insufficient", "标本不足", "标本量不足", "标本不合格", "qns"),
)
_NOT_DONE = frozenset(
    (
        *("--", "---", "/", "n/a", "not done", "pending"),
        *("未做", "未测", "未查", "未检", "待报", "待回报", "检测中"),
    )
)
_MARKS = {
    **dict.fromkeys(("h", "↑", "高", "偏高"), "H"),
    **dict.fromkeys(("hh", "↑↑", "↑↑↑"), "HH"),
    **dict.fromkeys(("l", "↓", "低", "偏低"), "L"),
    **dict.fromkeys(("ll", "↓↓", "↓↓↓"), "LL"),
    "*": "*",
}
_NORMAL = frozenset(("", "n", "-", "normal", "正常"))
_SIDES = {
    "<": "<",
    "小于": "<",
    "低于": "<",
    "<=": "<=",
    "=<": "<=",
    ">": ">",
    "大于": ">",
    "高于": ">",
    ">=": ">=",
    "=>": ">=",
}
# Every quantifier is bounded and the text is at most LONGEST characters.
_MARK = r"↑{1,3}|↓{1,3}|hh?|ll?|偏?高|偏?低|\*"
_RESULT = re.compile(
    rf"(?:(?P<before>{_MARK}) ?(?!于))?"
    r"(?P<side><=|=<|>=|=>|<|>|=|小于|低于|大于|高于)? ?"
    r"(?P<number>[-+]?(?:[0-9]{1,18}(?:\.[0-9]{1,12})?|\.[0-9]{1,12}))"
    rf"(?:e(?P<e>[-+]?[0-9]{{1,2}})| ?[*x] ?10 ?(?:(?:\^|\*\*) ?(?P<caret>[-+]?[0-9]{{1,2}})"
    rf"|(?P<raised>[⁻⁺]?[{_RAISED}]{{1,2}})))?"
    rf"(?: ?\(?(?P<after>{_MARK})\)?)?"
)
_THOUSANDS = re.compile(
    r"(?<![0-9.,])[0-9]{1,3}(?:(?:,[0-9]{3}){2,5}(?:\.[0-9]{1,12})?|,[0-9]{3}\.[0-9]{1,12})"
    r"(?![0-9.,])"
)
_POWER = re.compile(rf"\^|\*\*|[*x] ?10|[{_RAISED}]")
_LARGEST_POWER = 15


def folded(text: str) -> str:
    """The text in half-width lower case with single spaces; raised digits stay raised."""
    return " ".join(text.translate(_FOLDED).lower().split())


def printed_mark(text: str) -> str | None:
    """The laboratory's mark in a cell of its own; "" says normal, None is no mark."""
    plain = folded(text).strip("() ") if len(text) <= LONGEST else "?"
    return "" if plain in _NORMAL else _MARKS.get(plain)


def parse_result(text: str) -> Parsed:
    """The number or finding a printed result states; anything else: ResultError."""
    if len(text) > LONGEST:
        raise ResultError(Refusal.TOO_LONG)
    plain = folded(text)
    if not plain:
        raise ResultError(Refusal.BLANK)
    if plain in _WORDS:
        return Parsed(qualitative=_WORDS[plain])
    plain = _THOUSANDS.sub(lambda found: found.group().replace(",", ""), plain)
    match = _RESULT.fullmatch(plain)
    if match is None:
        raise ResultError(_refusal(plain))
    before, after = (_MARKS.get(match[side] or "", "") for side in ("before", "after"))
    if before and after and before != after:
        raise ResultError(Refusal.NOT_A_NUMBER)
    return Parsed(
        comparator=_SIDES.get(match["side"] or "", ""),
        value=_number(match),
        printed_flag=before or after,
    )


def _number(match: re.Match[str]) -> Decimal:
    """The number as plain digits: what was printed, times the power printed with it."""
    power = int((match["e"] or match["caret"] or match["raised"] or "0").translate(_LOWERED))
    if abs(power) > _LARGEST_POWER:
        raise ResultError(Refusal.NOT_A_NUMBER)
    sign, digits, exponent = Decimal(match["number"]).as_tuple()
    assert isinstance(exponent, int)
    return Decimal(format(Decimal((sign, digits, exponent + power)), "f"))


def _refusal(plain: str) -> Refusal:
    if plain in _NOT_DONE:
        return Refusal.NOT_DONE
    if any(word in plain for word in _SPECIMEN):
        return Refusal.SPECIMEN
    if "," in plain and any(character.isdigit() for character in plain):
        return Refusal.AMBIGUOUS_COMMA
    if _POWER.search(plain):
        return Refusal.EXPONENT
    return Refusal.NOT_A_NUMBER


def canonical_of(analyte: Analyte, value: Decimal, unit: str) -> Decimal:
    """The value in the analyte's canonical unit, exact; a unit not accepted: LookupError."""
    with localcontext(prec=80) as context:
        context.traps[Inexact] = True
        return value * analyte.factor(unit)


def flag_of(
    comparator: str, value: Decimal | None, low: Decimal | None, high: Decimal | None
) -> Flag:
    """Where the true value lies in the laboratory's range, all in the unit reported.

    A comparator leaves a span of possible values; the flag is known when all of them lie on
    one side. An amount below a positive limit is not negative.
    """
    if value is None or (low is None and high is None):
        return Flag.UNKNOWN
    if low is not None and _all_below(comparator, value, low):
        return Flag.LOW
    if high is not None and _all_above(comparator, value, high):
        return Flag.HIGH
    if _none_below(comparator, value, low) and _none_above(comparator, value, high):
        return Flag.NORMAL
    return Flag.UNKNOWN


def _all_below(comparator: str, value: Decimal, low: Decimal) -> bool:
    return value < low if comparator in {"", "<="} else comparator == "<" and value <= low


def _all_above(comparator: str, value: Decimal, high: Decimal) -> bool:
    return value > high if comparator in {"", ">="} else comparator == ">" and value >= high


def _none_below(comparator: str, value: Decimal, low: Decimal | None) -> bool:
    if low is None:
        return True
    if comparator in {"<", "<="}:
        return low <= 0 < value
    return value >= low


def _none_above(comparator: str, value: Decimal, high: Decimal | None) -> bool:
    if high is None:
        return True
    return value <= high if comparator in {"", "<", "<="} else False


# Units closer to each other than this cannot be told apart by the size of a number.
_APART = Decimal("1.25")
# Between two draws: a jump of so much, explained to within so much by another unit. Units
# that are closer than the jump are left alone.
_JUMP = Decimal(5)
_NEAR = Decimal(3)


def suspect_unit(
    analyte: Analyte, value: Decimal, unit: str, previous: Decimal | None = None
) -> UnitSlip | None:
    """The other accepted unit this number was probably printed in, if there is one.

    Suspected when, in the unit stated, the value leaves the expected range (or jumps away
    from `previous`, the last canonical value), while in the other unit it lies within.
    Nothing is changed by it: a person decides.
    """
    soft = analyte.soft
    if soft is None or value <= 0:
        return None
    stated = canonical_of(analyte, value, unit)
    outside = stated not in soft
    before = previous if previous is not None and previous > 0 else None
    found: list[tuple[Decimal, str, Decimal]] = []
    for other in analyte.accepted_units:
        candidate = canonical_of(analyte, value, other)
        if candidate not in soft or _times(candidate, stated) < _APART:
            continue
        if outside or (before and _explains(before, stated, candidate)):
            distance = _times(candidate, before) if before else Decimal(0)
            found.append((distance, other, candidate))
    if not found:
        return None
    found.sort(key=lambda one: one[0])
    return UnitSlip(
        suggested_unit=found[0][1],
        suggested_canonical=found[0][2],
        others=tuple(unit for _, unit, _ in found[1:]),
    )


def _explains(previous: Decimal, stated: Decimal, candidate: Decimal) -> bool:
    return _times(previous, stated) >= _JUMP and _times(previous, candidate) <= _NEAR


def _times(one: Decimal, other: Decimal) -> Decimal:
    """How many times the larger is the smaller; both are above zero."""
    return max(one, other) / min(one, other)
