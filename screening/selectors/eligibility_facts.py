"""Gathering what the criteria look at, from every form and draw of a subject.

Laboratory results and items count as soon as they are saved; an item of a form that is not
completed says so. History, birth date, sex and allergies count once their form is completed,
but a severe allergy that stands on an unfinished form is never overlooked.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import translation

from screening.eligibility.engine import analytes_read, items_read
from screening.eligibility.facts import AllergyFact, Facts, ItemFact, JudgementFact, LabFact
from screening.eligibility.rules.records import SEVERE
from screening.models.forms import Allergies, Demographics, MedicalHistory
from screening.models.forms.allergies import AGENTS, severity_of
from screening.models.forms.codes import Severity
from screening.models.forms.medical_history import Cause
from screening.selectors.consent import standings_of
from trialsite.casebook.models import RecordStatus, Subject
from trialsite.core.clock import trial_now
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.items import Item, all_items_of
from trialsite.crf.models import CrfRow, ItemData, stored
from trialsite.crf.registry import items_by_oid
from trialsite.labs.background import Background
from trialsite.labs.codes import PurificationKind, Sex
from trialsite.labs.models import PurificationInterval
from trialsite.labs.selectors import as_routine, fact_of, standing_results
from trialsite.protocol import Protocol
from trialsite.protocol.rules import SevereAllergy

#: What the formulas call these causes; every other keeps its code.
_CAUSES = {Cause.ALCOHOL.value: "alcoholic", Cause.BILIARY.value: "biliary"}

#: Dialysis counts where it was done twice, or continuously so long, within so many days.
_DIALYSIS_DAYS, _DIALYSIS_TIMES, _DIALYSIS_HOURS = 7, 2, 24

Rows = dict[uuid.UUID, list[Any]]
Judgements = Mapping[uuid.UUID, Mapping[str, JudgementFact]]


def facts_of(
    subject: Subject,
    *,
    protocol: Protocol,
    at: dt.datetime | None = None,
    judgements: Mapping[str, JudgementFact] | None = None,
) -> Facts:
    """What is known of one subject at a moment (default: now)."""
    given = {subject.pk: judgements or {}}
    return facts_of_many([subject], protocol=protocol, at=at, judgements=given)[subject.pk]


def facts_of_many(
    subjects: Collection[Subject],
    *,
    protocol: Protocol,
    at: dt.datetime | None = None,
    judgements: Judgements | None = None,
) -> dict[uuid.UUID, Facts]:
    """The same for many, who come with their sites; as many queries as for one."""
    if not subjects:
        return {}
    moment = at or trial_now()
    found = _gather(subjects, protocol, moment)
    return {
        subject.pk: _facts(subject, found, protocol, moment, (judgements or {}).get(subject.pk, {}))
        for subject in subjects
    }


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows of all subjects: consent, results, tables of items, purifications."""

    consents: dict[uuid.UUID, Any]
    labs: dict[uuid.UUID, list[LabFact]]
    tables: dict[type[ItemData], Rows]
    purifications: Rows
    read: dict[str, tuple[type[ItemData], Item]] = field(default_factory=dict)


def _gather(subjects: Collection[Subject], protocol: Protocol, moment: dt.datetime) -> _Found:
    ids = [subject.pk for subject in subjects]
    known = items_by_oid()
    read = {oid: known[oid] for oid in sorted(items_read(protocol)) if oid in known}
    tables: set[type[ItemData]] = {Demographics, MedicalHistory, Allergies}
    tables.update(table for table, _item in read.values())
    return _Found(
        consents=dict(standings_of(subjects, now=moment)),
        labs=_labs(ids, analytes_read(protocol)),
        tables={table: _rows(table, ids) for table in tables},
        purifications=_purifications(ids, moment),
        read=read,
    )


def _labs(ids: list[uuid.UUID], analytes: Iterable[str]) -> dict[uuid.UUID, list[LabFact]]:
    rows = standing_results().filter(
        subject_id__in=ids, panel__collected_at__isnull=False, analyte__in=list(analytes)
    )
    found: dict[uuid.UUID, list[LabFact]] = defaultdict(list)
    for row in rows:
        found[row.subject_id].append(fact_of(row))
    return found


def _rows(table: type[ItemData], ids: list[uuid.UUID]) -> Rows:
    """The standing rows of a table of items, oldest record first."""
    rows = stored(table).filter(subject_id__in=ids, record__voided_at=None)
    if issubclass(table, CrfRow):
        rows = rows.filter(voided_at=None)
    found: Rows = defaultdict(list)
    for row in rows.select_related("record").order_by("record__first_entered_at", "pk"):
        found[row.subject_id].append(row)
    return found


def _purifications(ids: list[uuid.UUID], moment: dt.datetime | None) -> Rows:
    """Renal replacement that may reach into the days that count, with room for any zone; for
    no moment all of it."""
    rows = PurificationInterval.objects.filter(
        subject_id__in=ids, kind=PurificationKind.CRRT, voided_at=None
    )
    if moment is not None:
        since = moment.replace(tzinfo=None) - dt.timedelta(days=_DIALYSIS_DAYS + 1)
        rows = rows.exclude(ended_at__lt=since)
    found: Rows = defaultdict(list)
    for row in rows:
        found[row.subject_id].append(row)
    return found


def _facts(
    subject: Subject,
    found: _Found,
    protocol: Protocol,
    moment: dt.datetime,
    judgements: Mapping[str, JudgementFact],
) -> Facts:
    key = subject.pk
    consent = found.consents[key].fact
    history = _latest(found.tables[MedicalHistory][key])
    person = _latest(found.tables[Demographics][key])
    labs = (
        as_routine(fact, consent.given_at if consent else None) for fact in found.labs.get(key, [])
    )
    return Facts(
        day_zero=moment.astimezone(ZoneInfo(subject.site.time_zone)),
        consent=consent,
        birth_date=_text(person, "birth_date"),
        sex=_text(person, "sex"),
        labs=tuple(labs),
        items={
            oid: values
            for oid, (table, item) in found.read.items()
            if (values := _items(found.tables[table][key], item))
        },
        allergies=_allergies(found.tables[Allergies][key], protocol),
        aetiology=_cause(history),
        chronic_liver_disease=None if history is None else history.chronic_liver_disease,
        dialysis=_dialysis(history, found.purifications.get(key, []), moment),
        judgements=judgements,
    )


def _complete(row: Any) -> bool:
    return bool(row.record.status == RecordStatus.COMPLETE)


def _latest(rows: list[Any]) -> Any:
    """The newest row on a completed form."""
    return next((row for row in reversed(rows) if _complete(row)), None)


def _text(row: Any, name: str) -> str | None:
    value = None if row is None else getattr(row, name)
    return None if value is None else str(value)


def _cause(history: MedicalHistory | None) -> str | None:
    if history is None or history.cause is None:
        return None
    return _CAUSES.get(history.cause, history.cause.lower())


def _items(rows: list[Any], item: Item) -> tuple[ItemFact, ...]:
    return tuple(fact for row in rows if (fact := _item(row, item)) is not None)


def _item(row: Any, item: Item) -> ItemFact | None:
    value = getattr(row, item.name)
    observed = _observed(row)
    if value is None or observed is None:
        return None
    with translation.override("en"):
        label = str(dict(item.choices).get(value, "")) if item.choices else ""
    return ItemFact(
        value=_plain(value),
        observed_at=observed,
        record_id=row.record_id,
        complete=_complete(row),
        label=label,
    )


def _plain(value: Any) -> str | bool | Decimal:
    if isinstance(value, bool):
        return value
    return Decimal(value) if isinstance(value, int | Decimal) else str(value)


def _observed(row: Any) -> dt.datetime | None:
    """The bedside time that heads the row; a form without one counts from its first entry."""
    for item in all_items_of(type(row)).values():
        if isinstance(item.field, WallTimeField):
            wall: dt.datetime | None = getattr(row, item.name)
            return None if wall is None else wall.replace(tzinfo=ZoneInfo(row.time_zone))
    entered: dt.datetime | None = row.record.first_entered_at
    return entered


def _allergies(rows: list[Any], protocol: Protocol) -> tuple[AllergyFact, ...] | None:
    """Each agent at its worst over all forms. Nobody knows before one form is completed,
    unless what is there is severe already."""
    noted: dict[str, AllergyFact] = {}
    for row in rows:
        for fact in _noted(row, protocol):
            held = noted.get(fact.agent)
            if held is None or _worse(fact.severity, held.severity):
                noted[fact.agent] = fact
    facts = tuple(fact for fact in noted.values() if fact.severity != _NONE)
    if any(_complete(row) for row in rows):
        return facts
    return tuple(fact for fact in facts if fact.severity == SEVERE) or None


_NONE = Severity.NONE.value.lower()
#: What nobody could say is worse than anything but severe: it may be just that.
_BADNESS = [_NONE, *(each.value.lower() for each in (Severity.MILD, Severity.MODERATE)), "", SEVERE]


def _worse(one: str, other: str) -> bool:
    return _BADNESS.index(one) > _BADNESS.index(other)


def _noted(row: Allergies, protocol: Protocol) -> Iterable[AllergyFact]:
    """What a form says of every agent it asks about, and of those the criteria name."""
    named = {
        agent
        for criterion in protocol.criteria
        if isinstance(criterion.rule, SevereAllergy)
        for agent in criterion.rule.agents
    }
    for agent in sorted({*AGENTS, *named}):
        severity = severity_of(row, agent) if agent in AGENTS else None
        if severity is None and agent not in named:
            continue
        text = "" if severity is None else severity.value.lower()
        yield AllergyFact(agent=agent, severity=text, record_id=row.record_id)


def _dialysis(history: Any, rows: list[Any], moment: dt.datetime) -> bool | None:
    """Whether creatinine counts as on dialysis: recorded treatments, else the history's word,
    which is about the days before it was given."""
    since = moment - dt.timedelta(days=_DIALYSIS_DAYS)
    spans = [span for row in rows if (span := _within(row, since, moment)) is not None]
    total = sum(spans, dt.timedelta())
    if len(spans) >= _DIALYSIS_TIMES or total >= dt.timedelta(hours=_DIALYSIS_HOURS):
        return True
    if history is None or history.dialysis is None:
        return None
    return bool(history.dialysis) and history.record.completed_at >= since


def score_background(subject_id: uuid.UUID, at: dt.datetime) -> Background:
    """What the scores of a draw take from the history and from recorded renal replacement."""
    return score_backgrounds([subject_id])(subject_id, at)


def score_backgrounds(
    subject_ids: Collection[uuid.UUID],
) -> Callable[[uuid.UUID, dt.datetime], Background]:
    """The same for many subjects and any moments, as a function of both; two queries."""
    ids = list(subject_ids)
    histories, purifications = _rows(MedicalHistory, ids), _purifications(ids, None)

    def background(subject_id: uuid.UUID, at: dt.datetime) -> Background:
        history = _latest(histories.get(subject_id, []))
        cause = _cause(history)
        return Background(
            dialysis=_dialysis(history, purifications.get(subject_id, []), at),
            alcoholic_or_biliary=None if cause is None else cause in _CAUSES.values(),
        )

    return background


def female_by_subject(subject_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, bool]:
    """Whether each subject is a woman, as far as a completed form says; one query."""
    rows = _rows(Demographics, list(subject_ids))
    said = {key: _text(_latest(found), "sex") for key, found in rows.items()}
    return {key: sex == Sex.FEMALE for key, sex in said.items() if sex in {Sex.MALE, Sex.FEMALE}}


def _within(
    row: PurificationInterval, since: dt.datetime, until: dt.datetime
) -> dt.timedelta | None:
    """How long a treatment lasted between two moments; None: it did not touch them."""
    zone = ZoneInfo(row.time_zone)
    begin = row.started_at.replace(tzinfo=zone)
    end = until if row.ended_at is None else row.ended_at.replace(tzinfo=zone)
    first, last = max(begin, since), min(end, until)
    return last - first if first <= last else None
