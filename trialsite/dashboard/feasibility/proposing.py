"""A first mapping from the headers of a file: what is not certain is a question mark, and the
mapping cannot be used before somebody has answered it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from trialsite.exports.reading.files import read_table
from trialsite.exports.reading.layout import Layout
from trialsite.exports.reading.tables import fitted, name_key
from trialsite.labs.matching import Matcher, name_form
from trialsite.protocol import Protocol
from trialsite.protocol.rules import GradeAtMost

OPEN = "?"
_LOOKED_AT = 500
_MOST_CODES = 12
_UNIT = re.compile(r"^(?P<name>.*?)\s*[(\[（【](?P<unit>[^()\[\]（）【】]*)[)\]）】]\s*$")

#: What hospitals call the columns about a person, by what they hold.
_PERSON: dict[str, tuple[str, ...]] = {
    "person": (
        "id",
        "no",
        "number",
        "patient",
        "subject",
        "subject id",
        "编号",
        "序号",
        "研究编号",
    ),
    "assessed": ("date", "visit date", "assessment date", "日期", "就诊日期", "评估日期"),
    "sex": ("sex", "gender", "性别"),
    "born": ("dob", "birth date", "date of birth", "出生日期", "出生年月"),
    "age": ("age", "age years", "年龄", "年龄岁"),
    "aetiology": ("aetiology", "etiology", "cause", "病因"),
    "dialysis": ("dialysis", "rrt", "透析", "血液透析"),
}
_TIMES: dict[str, tuple[str, ...]] = {
    "time": ("time", "futime", "follow-up days", "survival time", "随访天数", "生存时间"),
    "status": ("status", "outcome", "event", "结局", "生存状态"),
}
_GRADES = (
    *("he", "he grade", "he分级", "hepatic encephalopathy", "encephalopathy"),
    *("肝性脑病", "肝性脑病分级", "肝性脑病分期"),
)
#: What stands where nothing is known.
_MISSING = ("NA", "N/A", "-", "--", "/", "未做", "未查", "未测", "不详", "缺失")
_NOTHING = {name_key(text) for text in _MISSING}
_NONE = ("none", "no", "无")

#: Texts whose meaning is beyond doubt.
_SEXES = {"M": ("m", "male", "男", "男性"), "F": ("f", "female", "女", "女性")}
_TRUTHS = {"yes": ("yes", "y", "是", "有"), "no": ("no", "n", "否", "无")}


def _by_word(words: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {name_form(text): means for means, texts in words.items() for text in texts}


def propose(content: bytes, protocol: Protocol) -> str:
    """A mapping for a file, as text to be completed by a person."""
    table = read_table(content, Layout())
    rows = [
        cells
        for row in islice(table.rows, _LOOKED_AT)
        if (cells := fitted(row.cells, len(table.headers)))
    ]
    columns = {
        header: [cells[place] for cells in rows]
        for place, header in enumerate(table.headers)
        if header
    }
    return "\n".join(_Proposal(columns, protocol).lines()) + "\n"


class _Proposal:
    """The parts of the mapping, each column used once."""

    def __init__(self, columns: dict[str, list[str]], protocol: Protocol) -> None:
        self._columns, self._protocol = columns, protocol
        self._matcher = Matcher(protocol.labs.analytes)
        self._left = list(columns)

    def lines(self) -> Iterator[str]:
        yield "layout:"
        yield f"  missing: [{', '.join(_quoted(each) for each in self._missing())}]"
        person = self._named(_PERSON)
        times = self._named(_TIMES)
        if len(times) < len(_TIMES):
            self._left = [*self._left, *times.values()]
            times = {}
        if person:
            yield "columns:"
            yield from (f"  {name}: {_quoted(header)}" for name, header in person.items())
        yield from self._codes("sexes", person.get("sex"), _by_word(_SEXES), OPEN)
        yield from self._codes("aetiologies", person.get("aetiology"), {}, OPEN)
        yield from self._codes("truths", person.get("dialysis"), _by_word(_TRUTHS), OPEN)
        yield from self._grades()
        yield from self._results()
        yield from self._survival(times)
        if self._left:
            left = ", ".join(map(_quoted, self._left))
            yield f"# Columns that nothing is taken from: {left}"

    def _missing(self) -> list[str]:
        """The texts for nothing that stand in the file."""
        there = {name_key(cell) for cells in self._columns.values() for cell in cells}
        return [each for each in _MISSING if name_key(each) in there] or ["NA"]

    def _named(self, words: dict[str, tuple[str, ...]]) -> dict[str, str]:
        known, found = _by_word(words), {}
        for header in list(self._left):
            bare = _UNIT.match(header)
            forms = (name_form(header), name_form(bare["name"]) if bare else "")
            name = next((known[form] for form in forms if form in known), "")
            if name and name not in found:
                found[name] = header
                self._left.remove(header)
        return {name: found[name] for name in words if name in found}

    def _codes(
        self, section: str, header: str | None, known: dict[str, str], otherwise: str
    ) -> Iterator[str]:
        if header is None:
            return
        codes = self._texts(header, known, otherwise)
        if codes:
            yield f"{section}: {{{codes}}}"

    def _texts(self, header: str, known: dict[str, str], otherwise: str) -> str:
        texts = _distinct(self._columns[header])
        pairs = ((text, known.get(name_form(name_key(text)), otherwise)) for text in texts)
        return ", ".join(f"{_quoted(text)}: {_quoted(means)}" for text, means in pairs)

    def _grades(self) -> Iterator[str]:
        """Columns that are called as a grade that a criterion reads."""
        words = {name_form(text) for text in _GRADES}
        headers = [each for each in self._left if name_form(each) in words]
        rules = [c.rule for c in self._protocol.criteria if isinstance(c.rule, GradeAtMost)]
        if not headers or len(rules) != 1:
            return
        header, rule = headers[0], rules[0]
        self._left.remove(header)
        known = {name_form(grade): grade for grade in rule.scale}
        known |= {str(place): grade for place, grade in enumerate(rule.scale)}
        known |= {name_form(text): rule.scale[0] for text in _NONE}
        yield "items:"
        yield f"  {_quoted(header)}:"
        yield f"    item: {rule.item_oid}"
        yield f"    codes: {{{self._texts(header, known, OPEN)}}}"

    def _results(self) -> Iterator[str]:
        found = [(header, *self._result(header)) for header in self._left]
        taken = [(header, key, unit) for header, key, unit in found if key]
        if taken:
            yield "results:"
        for header, key, unit in taken:
            self._left.remove(header)
            accepted = ", ".join(self._matcher.analytes[key].accepted_units)
            hint = f"  # one of {accepted}" if unit == OPEN else ""
            yield f"  {_quoted(header)}: {{analyte: {key}, unit: {_quoted(unit)}}}{hint}"

    def _result(self, header: str) -> tuple[str, str]:
        """The analyte and unit that a header names; a unit that is not there is open."""
        bare = _UNIT.match(header)
        names = [(header, "")]
        if bare and self._matcher.is_unit(bare["unit"]):
            names.insert(0, (bare["name"], bare["unit"]))
        for name, sign in names:
            keys = self._matcher.match(name).analytes
            if len(keys) == 1:
                return keys[0], self._unit(keys[0], sign, name)
        return "", ""

    def _unit(self, key: str, sign: str, name: str) -> str:
        accepted = self._matcher.analytes[key].accepted_units
        units = self._matcher.units(key, sign, name) if sign else ()
        if len(units) == 1:
            return units[0]
        return accepted[0] if len(accepted) == 1 else OPEN

    def _survival(self, times: dict[str, str]) -> Iterator[str]:
        if not times:
            return
        yield "survival:"
        yield f"  time: {_quoted(times['time'])}"
        yield "  unit: days"
        yield f"  status: {_quoted(times['status'])}"
        yield f"  codes: {{{self._texts(times['status'], {}, OPEN)}}}"


def _distinct(texts: Iterable[str]) -> Sequence[str]:
    found: dict[str, str] = {}
    for text in texts:
        if text and name_key(text) not in _NOTHING:
            found.setdefault(name_key(text), text)
    return sorted(found.values())[:_MOST_CODES]


def _quoted(text: str) -> str:
    """Text as YAML and JSON write it, whatever is in it."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_. ]{0,60}[A-Za-z0-9]|[A-Z]", text)
    words = {"yes", "no", "true", "false", "null", "on", "off"}
    if plain and text.lower() not in words and text != "source":
        return text
    return json.dumps(text, ensure_ascii=False)
