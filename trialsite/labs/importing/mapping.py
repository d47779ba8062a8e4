"""What the columns of a laboratory's file mean: the schema of its mapping file, and its checks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated
from zoneinfo import available_timezones

from trialsite.exports.reading.layout import Layout, format_problem
from trialsite.exports.reading.mappings import Marked, read_mapping
from trialsite.labs.codes import Specimen
from trialsite.labs.matching import Matcher
from trialsite.protocol.labs import Labs
from trialsite.protocol.values import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The headers of the columns, by what they hold.

    `collected` holds date and time, or the date beside `collected_time`. A file with one
    result a row has `analyte` and `result`; `sex` and `born` are compared, never stored.
    """

    subject: str
    collected: str
    collected_time: str = ""
    analyte: str = ""
    result: str = ""
    unit: str = ""
    comparator: str = ""
    specimen: str = ""
    specimen_ref: str = ""
    laboratory: str = ""
    sex: str = ""
    born: str = ""

    @property
    def named(self) -> dict[str, str]:
        """Role -> header, of the columns that the mapping names."""
        return {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """A column of a file with one draw a row: of which analyte, in which unit."""

    column: Annotated[str, Key(r".{1,200}", "the header of a column")]
    analyte: str
    unit: str = ""
    zero_is_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A text of the file and what it stands for here."""

    text: Annotated[str, Key(r".{1,200}", "a text of the file")]
    means: str


_PLAIN = Layout()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabMapping:
    """The whole mapping of a laboratory's file.

    `zone` is the time zone of the file's clock, by default the site's; `specimen` holds where
    the file names none; of the analytes in `zero_is_missing` a zero means there is no value.
    """

    layout: Layout = _PLAIN
    columns: Columns
    results: tuple[ResultColumn, ...] = ()
    zone: str = ""
    specimen: str = ""
    zero_is_missing: tuple[str, ...] = ()
    analytes: tuple[Code, ...] = ()
    units: tuple[Code, ...] = ()
    sexes: tuple[Code, ...] = ()
    specimens: tuple[Code, ...] = ()
    laboratories: tuple[str, ...] = ()

    @property
    def wide(self) -> bool:
        """Whether a row holds a whole draw."""
        return bool(self.results)

    @property
    def compares_people(self) -> bool:
        """Whether a row says more of its person than a number that may be another's."""
        return bool(self.columns.sex or self.columns.born)

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header the file must have, once."""
        return (*self.columns.named.values(), *(each.column for each in self.results))


def read_lab_mapping(text: str, labs: Labs) -> LabMapping:
    """The mapping in a file; raises MappingError with every problem and its line."""
    found, marked = read_mapping(text, LabMapping)
    _check_shape(found, marked)
    _check_codes(found, marked, labs)
    marked.expect_none()
    return found


@lru_cache(maxsize=64)
def stored_mapping(text: str) -> LabMapping:
    """A mapping that was checked when it was stored."""
    found, _marked = read_mapping(text, LabMapping)
    return found


def _check_shape(found: LabMapping, marked: Marked) -> None:
    columns = found.columns
    long = bool(columns.analyte or columns.result)
    if found.wide == long or (long and not (columns.analyte and columns.result)):
        marked.refuse(
            "columns",
            "Name the columns analyte and result for a file with one result a row, or list the "
            "columns under results for a file with one draw a row.",
        )
    headers = found.headers
    for header in sorted({each for each in headers if headers.count(each) > 1}):
        marked.refuse("columns", f"The column {header!r} is named twice.")
    for text in found.layout.dates:
        if problem := format_problem(text):
            marked.refuse("layout.dates", problem)
    if not 1 <= found.layout.header_row <= 1000:
        marked.refuse("layout.header_row", "The header stands between row 1 and row 1000.")
    if found.zone and found.zone not in available_timezones():
        marked.refuse("zone", f"{found.zone!r} is no time zone such as Asia/Shanghai.")


def _check_codes(found: LabMapping, marked: Marked, labs: Labs) -> None:
    matcher = Matcher(labs.analytes)
    named = [
        *((f"results.{each.column}.analyte", each.analyte) for each in found.results),
        *((f"analytes.{each.text}", each.means) for each in found.analytes),
        *(("zero_is_missing", key) for key in found.zero_is_missing),
    ]
    for path, key in named:
        if key not in matcher.analytes:
            marked.refuse(path, f"The protocol has no analyte {key!r}.")
    _check_units(found, marked, matcher)
    for code in found.sexes:
        if code.means not in {"M", "F"}:
            marked.refuse(f"sexes.{code.text}", "A sex is M or F.")
    specimens = [("specimen", found.specimen)] if found.specimen else []
    for path, text in (*specimens, *((f"specimens.{e.text}", e.means) for e in found.specimens)):
        if text not in Specimen.values:
            marked.refuse(path, f"A specimen is one of {', '.join(Specimen.values)}.")


def _check_units(found: LabMapping, marked: Marked, matcher: Matcher) -> None:
    known = matcher.analytes
    for each in found.results:
        if each.unit and each.analyte in known and len(matcher.units(each.analyte, each.unit)) != 1:
            accepted = ", ".join(known[each.analyte].accepted_units)
            marked.refuse(
                f"results.{each.column}.unit",
                f"{each.analyte} is not accepted in {each.unit!r}; accepted are {accepted}.",
            )
    for code in found.units:
        if not matcher.is_unit(code.means):
            marked.refuse(f"units.{code.text}", f"No analyte is accepted in {code.means!r}.")
