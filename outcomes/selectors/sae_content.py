"""What a report of a serious adverse event says, frozen in both languages.

After ICH E2A attachment 1 (the CIOMS I form) and what a report on a device event adds
(device, lots, causality to the device). Of the participant it holds number, age and sex.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from outcomes.models import (
    CRITERIA,
    CTCAE_VERSION,
    AdverseEvent,
    ReportKind,
    SaeCase,
    Standing,
    Suspected,
)
from outcomes.sae_clock import expedited_of, lacking_of
from outcomes.sae_words import expedited_word, lacking_word
from outcomes.selectors.sae_carried import Paper, said_of_paper
from outcomes.selectors.sae_gathered import Gathered
from screening.models.forms.demographics import Sex
from trialsite.core.units import unit_label
from visits.models import TreatmentSession
from visits.models.session_codes import Modality

__all__ = ["LANGUAGES", "Paper", "content_of_report"]

#: A report is one document in two languages; both say the same.
LANGUAGES = ("en", "zh-hans")

Row = list[str]
Section = dict[str, Any]


def content_of_report(
    case: SaeCase,
    event: AdverseEvent,
    *,
    kind: str,
    number: int,
    at: dt.datetime | None,
    paper: Paper | None = None,
) -> dict[str, Any]:
    """The report as plain data: each language's sections, and the codes they were made of.

    Without a moment it is the same for as long as nothing that it says has changed.
    """
    report = _Said(case, event, kind=kind, number=number, at=at, paper=paper)
    content: dict[str, Any] = {"facts": report.facts()}
    for language in LANGUAGES:
        with translation.override(language):
            content[language] = report.said()
    return content


class _Said(Gathered):
    """The same in words, section by section."""

    def said(self) -> dict[str, Any]:
        """The report in the language of the moment."""
        study = self.protocol.study
        language = translation.get_language() or "en"
        head = f"DEMO {study.study_id}" if settings.DEMO else study.study_id
        return {
            "title": _("Report of a serious adverse event"),
            "head": f"{head} · {self.record.site.code} · {self.record.subject.label}",
            "study": study.title.in_language(language),
            "kind": _kind_word(self.kind, self.number),
            "sections": [each for each in self._sections() if each],
        }

    def _sections(self) -> Iterable[Section]:
        yield self._identity()
        if self.paper is not None:
            yield _pairs(*said_of_paper(self.paper, self._moment))
            if not self.paper.whole:
                yield self._source()
                return
        yield self._taken_back()
        yield self._of_event()
        yield self._judged()
        yield _table(
            _("Treatment sessions and lots"),
            [_("Session"), _("Start"), _("End"), _("Treatment"), _("Lot"), _("Reactor serial no.")],
            [self._session(each) for each in self.sessions],
            _("No treatment session before the report."),
        )
        yield _table(
            _("Concomitant medication"),
            [_("Medication"), _("Dose"), _("Start"), _("End")],
            [_medicine(each) for each in self.medicines],
            _("None is recorded."),
        )
        yield _table(
            _("Laboratory results outside their range, three days before to seven days after"),
            [_("Drawn"), _("Test"), _("Result"), _("Range")],
            [self._lab(fact) for fact in self.labs],
            _("None is recorded."),
        )
        yield self._narrative()
        yield self._source()

    def _identity(self) -> Section:
        age = self.person.age_on(self.onset[0])
        sex = Sex(self.person.sex).label if self.person.sex else "–"
        return _pairs(
            _("Participant and report"),
            [
                [_("Participant no."), self.record.subject.label],
                [_("Age at onset, sex"), f"{age if age is not None else '–'}, {sex}"],
                [_("Site"), f"{self.record.site.code}"],
                [_("Case"), f"{self.record.subject.label}-SAE-{self.record.repeat_key}"],
                [_("Report"), _kind_word(self.kind, self.number)],
                [_("The site first knew"), self._awareness()],
                [_("Reporter"), self.case.reporter or "–"],
                [_("First suspicion"), str(Suspected(self.case.suspected).label)],
            ],
        )

    def _awareness(self) -> str:
        moment = self._moment(self.case.aware_at)
        return (
            moment if self.case.aware_said else _("%(moment)s (when entered)") % {"moment": moment}
        )

    def _taken_back(self) -> Section:
        """That the event is no longer held for serious, which is itself reported."""
        case = self.case
        if not case.is_taken_back:
            return {}
        rows = [
            [_("This case is taken back"), str(Standing(case.standing).label)],
            [_("Since"), self._moment(case.standing_since)],
            [_("Reason"), case.standing_reason or "–"],
        ]
        return _pairs(_("Taken back"), rows)

    def _of_event(self) -> Section:
        event = self.event
        criteria = [
            str(event._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
            for name in CRITERIA
            if getattr(event, name)
        ]
        session = self.origin.session if self.origin else None
        return _pairs(
            _("Event"),
            [
                [_("Event"), event.term or "–"],
                [_("Start"), self._wall(event.started_on, event.started_time)],
                [_("End"), self._end()],
                [_("Serious because"), "; ".join(criteria) or "–"],
                [_("Grade (CTCAE 5.0)"), event.get_grade_display() or "–"],
                [pgettext("adverse event", "Outcome"), event.get_outcome_display() or "–"],
                [_("Action with the cells"), event.get_action_display() or "–"],
                [_("Action with the circuit or device"), event.get_action_device_display() or "–"],
                [_("Other action"), event.action_other or "–"],
                [_("Of the session"), str(session.number) if session else "–"],
            ],
        )

    def _end(self) -> str:
        if self.event.ongoing:
            return _("Ongoing")
        return self._wall(self.event.ended_on, self.event.ended_time)

    def _judged(self) -> Section:
        event, computed = self.event, expedited_of(self.event)
        confirmed = self.case.expedited
        names = (
            "related_cells", "related_circuit", "related_anticoagulant", "related_procedure",
            "related_disease",
        )  # fmt: skip
        rows = [
            [
                str(event._meta.get_field(name).verbose_name),  # type: ignore[union-attr]
                str(getattr(event, f"get_{name}_display")() or _("Not yet judged")),
            ]
            for name in names
        ]
        rows += [
            [
                _("By the reference safety information"),
                event.get_expectedness_display() or _("Not yet judged"),
            ],
            [_("By the site’s judgement"), expedited_word(computed)],
            [_("Held by the sponsor for"), expedited_word(confirmed) if confirmed else "–"],
        ]
        return _pairs(_("Causality and expectedness"), rows)

    def _session(self, session: TreatmentSession) -> Row:
        loads = [each for each in self.loaded if each.session_id == session.pk]
        kinds = [str(Modality(code).label) for code in session.modality]
        return [
            str(session.number),
            self._at(session.started_at, session.time_zone),
            self._at(session.ended_at, session.time_zone) if session.ended_at else _("Running"),
            ", ".join(kinds),
            ", ".join(each.lot.code for each in loads) or "–",
            ", ".join(dict.fromkeys(each.reactor_serial for each in loads)) or "–",
        ]

    def _lab(self, fact: Any) -> Row:
        language = translation.get_language() or "en"
        analyte = self.protocol.labs.analyte(fact.analyte).name.in_language(language)
        low, high = (f"{each:f}" if each is not None else "" for each in (fact.low, fact.high))
        return [
            f"{fact.collected_at.astimezone(self.zone):%Y-%m-%d %H:%M}",
            analyte,
            f"{fact.text} {unit_label(fact.unit)}".strip(),
            f"{low}–{high}",
        ]

    def _narrative(self) -> Section:
        text = "\n\n".join(
            each.strip()
            for each in (self.case.narrative, self.event.description or "")
            if each.strip()
        )
        return {"kind": "text", "title": _("Narrative"), "text": text or "–"}

    def _source(self) -> Section:
        lacking = [lacking_word(code) for code in lacking_of(self.event, self.case)]
        return _pairs(
            _("Versions"),
            [
                [_("Protocol"), self.protocol.version],
                [_("Version of the event’s form"), str(self.record.version)],
                [_("Grading"), f"CTCAE {CTCAE_VERSION}"],
                *([[_("As of"), self._moment(self.at)]] if self.at else []),
                [_("Not yet known"), "; ".join(lacking) or _("Nothing is missing")],
            ],
        )

    def _moment(self, moment: dt.datetime) -> str:
        local = moment.astimezone(self.zone)
        return f"{local:%Y-%m-%d %H:%M} ({_offset(local)}, {self.zone.key})"

    def _wall(self, day: Any, time: dt.time | None) -> str:
        if day is None:
            return "–"
        if time is None:
            return str(day)
        local = dt.datetime.combine(day.earliest, time, self.zone)
        return f"{day} {time:%H:%M} ({_offset(local)})"

    def _at(self, wall: dt.datetime | None, zone: str) -> str:
        if wall is None:
            return "–"
        return f"{wall:%Y-%m-%d %H:%M} ({_offset(wall.replace(tzinfo=ZoneInfo(zone)))})"


def _offset(local: dt.datetime) -> str:
    text = f"{local:%z}"
    return f"UTC{text[:3]}:{text[3:]}"


def _kind_word(kind: ReportKind, number: int) -> str:
    if kind is ReportKind.INITIAL:
        return str(kind.label)
    return _("%(kind)s, no. %(number)d") % {"kind": kind.label, "number": number}


def _medicine(row: Any) -> Row:
    dose = f"{row.dose.normalize():f}" if row.dose is not None else ""
    parts = (dose, row.get_dose_unit_display(), row.get_route_display(),
             row.get_frequency_display())  # fmt: skip
    return [
        row.treatment or "–",
        " ".join(str(part) for part in parts if part) or "–",
        str(row.started_on or "–"),
        _("Ongoing") if row.ongoing else str(row.ended_on or "–"),
    ]


def _pairs(title: str, rows: list[Row]) -> Section:
    return {"kind": "pairs", "title": title, "rows": [[str(cell) for cell in row] for row in rows]}


def _table(title: str, head: Row, rows: list[Row], empty: str) -> Section:
    if not rows:
        return {"kind": "text", "title": title, "text": empty}
    return {"kind": "table", "title": title, "head": head, "rows": rows}
