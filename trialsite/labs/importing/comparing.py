"""A file against the casebook: what each of its results would do. Nothing is written.

The same names, units, limits and suspicions as for typed and pasted results; only what the
casebook already says is new here.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.casebook.models import Subject, Visit
from trialsite.casebook.moments import death_problem, future_problem
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import trial_now
from trialsite.core.partial_dates import PartialDate
from trialsite.labs.entry import read_result
from trialsite.labs.importing.lines import Line, is_zero
from trialsite.labs.importing.mapping import LabMapping
from trialsite.labs.importing.outcomes import WRITTEN, Outcome
from trialsite.labs.importing.standing import Standing, StandingDraw, is_closed, minute
from trialsite.labs.matching import Matcher
from trialsite.labs.models import LabResult
from trialsite.labs.paste_words import PROBLEMS
from trialsite.labs.pasted_cells import Parts
from trialsite.labs.pasting import PastedRow, PasteProblem, understood
from trialsite.labs.results import Refusal, canonical_of, suspect_unit
from trialsite.labs.selectors import plain
from trialsite.protocol.labs import Analyte, Labs

_OUTCOMES = {
    PasteProblem.CELL_TOO_LONG: Outcome.RESULT,
    PasteProblem.OTHER_SPECIMEN: Outcome.SPECIMEN,
    PasteProblem.UNKNOWN_TEST: Outcome.TEST,
    PasteProblem.AMBIGUOUS_TEST: Outcome.TEST,
    PasteProblem.NO_RESULT: Outcome.BLANK,
    PasteProblem.UNREADABLE_RESULT: Outcome.RESULT,
    PasteProblem.NO_UNIT: Outcome.UNIT,
    PasteProblem.UNKNOWN_UNIT: Outcome.UNIT,
    PasteProblem.AMBIGUOUS_UNIT: Outcome.UNIT,
}
_UNIT_IN_MAPPING = gettext_lazy(
    "This unit cannot be told for this analyte: state it in the mapping, or leave the line out."
)
#: What is chosen on the page of a paste is stated in the mapping of a file.
_IN_A_FILE: dict[PasteProblem, Promise] = {
    PasteProblem.NO_UNIT: gettext_lazy(
        "The file names no unit here: state it in the mapping, or leave the line out."
    ),
    PasteProblem.UNKNOWN_UNIT: _UNIT_IN_MAPPING,
    PasteProblem.AMBIGUOUS_UNIT: _UNIT_IN_MAPPING,
}
#: Draws so long before the person came are asked about: numbers are used again.
_LONG_BEFORE = dt.timedelta(days=400)


@dataclass(frozen=True, slots=True)
class DrawKey:
    """Of whom, to the minute when, and which draw of the casebook; without `panel_id` one that
    is not yet there, of this specimen."""

    subject_id: uuid.UUID
    collected: dt.datetime
    panel_id: uuid.UUID | None = None
    specimen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One result of the file and what it would do; `units` are those it may have been in."""

    line: Line
    outcome: Outcome
    message: str = ""
    draw: DrawKey | None = None
    analyte: str = ""
    text: str = ""
    unit: str = ""
    stands: str = ""
    units: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """The specimen the file names."""
        return self.line.drawn.specimen_ref

    @property
    def comparable(self) -> tuple[object, ...]:
        """What must not have changed between looking and taking."""
        draw = self.draw and (
            str(self.draw.subject_id),
            self.draw.collected.isoformat(),
            str(self.draw.panel_id or ""),
        )
        said = (self.analyte, self.text, self.unit, self.stands, list(self.units), self.ref)
        return (self.line.key, self.outcome.value, draw, *said)


class Comparison:
    """Compares lines with what stands; the outcome of each, in the order of the file."""

    def __init__(self, standing: Standing, mapping: LabMapping, labs: Labs) -> None:
        self.standing, self.mapping = standing, mapping
        self.matcher = Matcher(labs.analytes)
        #: Whose sex or birth date the file states as the casebook has it.
        self.recognised: set[uuid.UUID] = set()
        self._now = trial_now()
        self._ones: dict[str, Matcher] = {}
        self._understood: dict[tuple[str, str, str, str], PastedRow] = {}

    def items(self, lines: Iterable[Line]) -> list[Item]:
        """Every line with its outcome."""
        found = [self._item(line) for line in lines]
        _settle_twins(found)
        # In the order of the draws, so that each value knows the one before.
        order = sorted(range(len(found)), key=lambda at: _moment(found[at]))
        for at in order:
            if found[at].outcome in WRITTEN:
                found[at] = self._compared(found[at])
        return found

    def _item(self, line: Line) -> Item:
        item = Item(line=line, outcome=Outcome.NEW, text=line.text, unit=line.unit)
        return self._refused_row(item) or self._placed(item) or self._known(item)

    def _refused_row(self, item: Item) -> Item | None:
        drawn, line = item.line.drawn, item.line
        if drawn.problem in {Outcome.ROW, Outcome.LABORATORY}:
            return replace(item, outcome=drawn.problem, message=drawn.message)
        if line.problem is Outcome.BLANK:
            return replace(item, outcome=Outcome.BLANK)
        return None

    def _placed(self, item: Item) -> Item | None:
        """The refusal of an item whose person or time is not right."""
        drawn = item.line.drawn
        subject = self.standing.subject(drawn.subject)
        if subject is None:
            message = _("There is no subject %(label)s at this site.") % {
                "label": f"“{drawn.subject[:30]}”"
            }
            return replace(item, outcome=Outcome.UNKNOWN_PERSON, message=message)
        if message := self._other_person(subject, drawn.sex, drawn.born):
            return replace(item, outcome=Outcome.OTHER_PERSON, message=message)
        if drawn.problem is not None:
            return replace(item, outcome=drawn.problem, message=drawn.message)
        assert drawn.collected is not None
        if message := self._bad_time(subject, drawn.collected):
            return replace(item, outcome=Outcome.TIME, message=message)
        return None

    def _other_person(self, subject: Subject, sex: str, born: str) -> str:
        """Why the file's person seems to be another one than ours of this number."""
        if not sex and not born:
            return ""
        person = self.standing.person(subject)
        stated = sex in {"M", "F"} and bool(person.sex)
        if stated and sex != person.sex:
            return _("The file and the casebook differ in this person's sex.")
        if stated or (born and person.born):
            self.recognised.add(subject.pk)
        if born and person.born:
            known, said = PartialDate.parse(person.born), PartialDate.parse(born)
            if said.latest < known.earliest or said.earliest > known.latest:
                return _("The file and the casebook differ in this person's birth date.")
        return ""

    def _bad_time(self, subject: Subject, collected: dt.datetime) -> str:
        zone = subject.site.time_zone
        problem = future_problem(collected, zone, self._now)
        problem = problem or death_problem(subject, collected.date())
        if not problem and collected.date() < subject.created_at.date() - _LONG_BEFORE:
            problem = _("This lies more than a year before the person came into the study.")
        return problem

    def _known(self, item: Item) -> Item:
        """The item with analyte, unit and draw, as far as its text can be understood."""
        line = item.line
        if line.problem is not None:
            return replace(item, outcome=line.problem, message=line.message)
        row = self._row(line)
        if row.problem in _OUTCOMES:
            message = str(_IN_A_FILE.get(row.problem, PROBLEMS[row.problem]))
            blank = row.refusal in {Refusal.NOT_DONE, Refusal.BLANK} and row.analyte
            outcome = Outcome.BLANK if blank else _OUTCOMES[row.problem]
            return replace(item, outcome=outcome, message="" if blank else message)
        assert row.analyte is not None
        analyte = self.matcher.analytes[row.analyte]
        if analyte.key in self.mapping.zero_is_missing and is_zero(line.text):
            return replace(item, outcome=Outcome.BLANK)
        try:
            read_result(analyte, row.text)
        except ValidationError as error:
            return replace(item, outcome=Outcome.RESULT, message=" ".join(error.messages))
        subject = self.standing.subject(line.drawn.subject)
        assert subject is not None
        draw = self._draw(subject, item, analyte.key)
        return replace(item, draw=draw, analyte=analyte.key, text=row.text, unit=row.unit or "")

    def _row(self, line: Line) -> PastedRow:
        key = (line.test, line.analyte, line.text, line.unit)
        row = self._understood.get(key)
        if row is None:
            matcher = self._one(line.analyte) if line.analyte else self.matcher
            # The file's own name may say as what a unit is meant (BUN); else the key names it.
            known = not line.analyte or matcher.match(line.test).analytes
            names = (line.test if known else line.analyte,)
            bare = PastedRow(line=line.drawn.line, cells=(line.test, line.text, line.unit))
            parts = Parts(names=names, result=line.text, unit=line.unit)
            row = self._understood[key] = understood(bare, parts, matcher, {})
        return row

    def _one(self, key: str) -> Matcher:
        """The names of the one analyte that the mapping itself states."""
        if key not in self._ones:
            self._ones[key] = Matcher([self.matcher.analytes[key]])
        return self._ones[key]

    def _draw(self, subject: Subject, item: Item, analyte: str) -> DrawKey:
        """The casebook's draw of this minute: of this specimen, or that holds this analyte."""
        collected = item.line.drawn.collected
        assert collected is not None
        found = self.standing.draws.get((subject.pk, minute(collected)), [])
        specimen = item.line.drawn.specimen
        fitting = [e for e in found if not specimen or e.panel.specimen in {"", specimen}]
        holding = [each for each in fitting if analyte in each.results]
        chosen = next(iter(holding or fitting), None)
        if chosen is not None:
            return DrawKey(subject.pk, minute(collected), chosen.panel.pk)
        return DrawKey(subject.pk, minute(collected), None, specimen)

    def value_of(self, item: Item) -> Decimal | None:
        """The number that an understood item states, in its unit as printed."""
        return read_result(self.matcher.analytes[item.analyte], item.text)[1]

    def draw_of(self, key: DrawKey) -> StandingDraw | None:
        """The draw in the casebook that a key names."""
        draws = self.standing.draws.get((key.subject_id, key.collected), [])
        return next((each for each in draws if each.panel.pk == key.panel_id), None)

    def _compared(self, item: Item) -> Item:
        """An understood item against what stands, and against the value before it."""
        key = item.draw
        assert key is not None
        draw, analyte = self.draw_of(key), self.matcher.analytes[item.analyte]
        stands = draw.results.get(item.analyte) if draw else None
        item = against(item, stands, analyte)
        if item.outcome is Outcome.SAME:
            return item
        if problem := self._closed(item, draw, analyte):
            return problem
        comparator, value = read_result(analyte, item.text)
        if value is None or not item.unit:
            return item
        before = self.standing.before(key.subject_id, item.analyte, key.collected)
        slip = suspect_unit(analyte, value, item.unit, before)
        if slip is not None:
            units = tuple(dict.fromkeys((slip.suggested_unit, *slip.others, item.unit)))
            return replace(item, outcome=Outcome.SLIP, units=units)
        if not comparator:
            canonical = canonical_of(analyte, value, item.unit)
            self.standing.follow(key.subject_id, analyte.key, key.collected, canonical)
        return item

    def _closed(self, item: Item, draw: StandingDraw | None, analyte: Analyte) -> Item | None:
        assert item.draw is not None
        subject = self.standing.subjects[item.draw.subject_id]
        record = draw.panel.record if draw else None
        visit = record.visit if record else self.visit_of(item.draw)
        if is_closed(subject, record, visit):
            message = _("This casebook, visit or form is locked or closed.")
            return replace(item, outcome=Outcome.CLOSED, message=message)
        version = record or visit or subject
        known = {each.key: each for each in protocol_of(version.protocol_version_id).labs.analytes}
        theirs = known.get(analyte.key)
        if theirs is None or (item.unit and item.unit not in theirs.accepted_units):
            message = _("The protocol version of this visit does not know this analyte or unit.")
            return replace(item, outcome=Outcome.TEST, message=message)
        return None

    def visit_of(self, draw: DrawKey) -> Visit | None:
        """The visit that a draw not yet in the casebook belongs to."""
        return self.standing.visit_of(draw.subject_id, draw.collected.date())


def against(item: Item, stands: LabResult | None, analyte: Analyte) -> Item:
    """The item as new, the same or a change of what stands."""
    if stands is None:
        return replace(item, outcome=Outcome.NEW, stands="")
    said = f"{stands.text} {stands.unit}".strip() if stands.text else stands.get_missing_display()
    same = _same(item, stands, analyte)
    if item.ref and item.ref != stands.specimen_ref:
        same, said = False, f"{said} · {stands.specimen_ref or '–'}"
    return replace(item, outcome=Outcome.SAME if same else Outcome.CHANGED, stands=said)


def _same(item: Item, stands: LabResult, analyte: Analyte) -> bool:
    """Whether both say the same amount, in whichever digits and unit."""
    if (item.text, item.unit) == (stands.text, stands.unit):
        return True
    comparator, value = read_result(analyte, item.text)
    if value is None or stands.canonical is None:
        return value is None and stands.value is None and item.text == stands.text
    canonical: Decimal = canonical_of(analyte, value, item.unit)
    return (comparator, canonical) == (stands.comparator, plain(stands.canonical))


def _moment(item: Item) -> dt.datetime:
    return item.draw.collected if item.draw else dt.datetime.min  # noqa: DTZ901  (walls only)


def _settle_twins(items: list[Item]) -> None:
    """A result that the file states twice: in the same words once, otherwise a question."""
    groups: dict[tuple[DrawKey, str], list[int]] = defaultdict(list)
    for at, item in enumerate(items):
        if item.outcome in WRITTEN and item.draw is not None:
            groups[item.draw, item.analyte].append(at)
    for group in groups.values():
        for at, outcome in _twins(items, group):
            items[at] = replace(items[at], outcome=outcome)


def _twins(items: list[Item], group: list[int]) -> Iterator[tuple[int, Outcome]]:
    if len(group) < 2:
        return
    alike = len({(items[at].text, items[at].unit) for at in group}) == 1
    for at in group[1:] if alike else group:
        yield at, Outcome.SAME if alike else Outcome.TWICE
