"""The datasets of the casebook: every form and repeating group, and the spine they hang on."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site
from trialsite.audit.models import Event, Operation
from trialsite.casebook.models import (
    ClosingCause,
    ConsentState,
    CrfRecord,
    LockState,
    RecordStatus,
    Subject,
    SubjectStatus,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.core.context import Channel
from trialsite.crf.codebook import dataset_name
from trialsite.crf.items import Item, MissingReason, all_items_of
from trialsite.crf.models import CrfRow, ItemData
from trialsite.crf.registry import forms
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from trialsite.review.models import Query, QueryMessage, QueryStatus

SITES, SUBJECTS, VISITS, RECORDS, EVENTS, QUERIES, MESSAGES = (
    model._meta.db_table for model in (Site, Subject, Visit, CrfRecord, Event, Query, QueryMessage)
)
_SUBJECT = f"JOIN {SUBJECTS} s ON s.id = {{0}}.subject_id JOIN {SITES} t ON t.id = s.site_id"
_ORDER = 't.code COLLATE "C", s.screening_number COLLATE "C"'

KEYS = (
    Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
    Column(name="SUBJID", sql="s.number", label=_("Subject number"), sdtm="DM.SUBJID"),
    Column(name="SCRNID", sql="s.screening_number", label=_("Screening number")),
)
EVENT_KEYS = (
    Column(name="STUDYEVENT", sql="v.event_oid", label=_("Study event")),
    Column(
        name="VISITNUM",
        sql="trim_scale(v.visit_number)",
        label=_("Visit number"),
        kind=Kind.FLOAT,
        sdtm="SV.VISITNUM",
    ),
)
_STATUS = Column(name="STATUS", sql="r.status", label=_("Status"), codes=dict(RecordStatus.choices))
_LOCK = dict(LockState.choices)


@register_datasets
def spine() -> list[Dataset]:
    return [subjects(), visits(), records(), queries(), trail()]


@register_datasets
def entered() -> list[Dataset]:
    return [of_table(table) for form in forms().values() for table in form.tables]


def of_table(table: type[ItemData]) -> Dataset:
    """The dataset of a form or repeating group; drafts and what was voided are not data."""
    is_group = issubclass(table, CrfRow)
    row = (Column(name="ROWNUM", sql="d.number", label=_("Row"), kind=Kind.INTEGER),)
    return Dataset(
        name=dataset_name(table),
        title=table.title,
        columns=(
            *KEYS,
            *EVENT_KEYS,
            Column(name="REPEATKEY", sql="r.repeat_key", label=_("Repeat"), kind=Kind.INTEGER),
            Column(name="RECORD", sql="r.id", label=_("Record"), kind=Kind.ID),
            _STATUS,
            *(row if is_group else ()),
            *(column for item in all_items_of(table).values() for column in _of_item(item)),
        ),
        source=f"{table._meta.db_table} d JOIN {RECORDS} r ON r.id = d.record_id "
        f"{_SUBJECT.format('d')} LEFT JOIN {VISITS} v ON v.id = r.visit_id",
        where="r.voided_at IS NULL" + (" AND d.voided_at IS NULL" if is_group else ""),
        site="d.site_id",
        order=f"{_ORDER}, v.visit_number, v.repeat_key, r.repeat_key"
        + (", d.number" if is_group else ", r.id"),
    )


def _of_item(item: Item) -> Iterator[Column]:
    assert item.field is not None
    label = item.field.verbose_name
    yield Column(
        name=item.name,
        sql=f"d.{item.field.column}",
        label=label,
        kind=Kind(item.data_type),
        unit=item.unit,
        codes={str(code): text for code, text in item.choices},
        sdtm=item.sdtm,
    )
    if item.units:
        yield Column(name=item.reported, sql=f"d.{item.reported}", label=_("As reported"))
        yield Column(name=item.reported_unit, sql=f"d.{item.reported_unit}", label=_("Unit"))
    if item.derived:
        return
    yield Column(
        name=f"{item.name}_missing",
        sql=f"d.missing ->> '{item.name}'",
        label=_("Why there is no value"),
        codes=dict(MissingReason.choices),
    )
    yield Column(
        name=f"{item.name}_confirmed", sql=f"d.confirmed ->> '{item.name}'", label=_("Confirmed as")
    )


def subjects() -> Dataset:
    return Dataset(
        name="subjects",
        title=_("Subjects"),
        columns=(
            *KEYS,
            Column(name="SUBJECT", sql="s.id", label=_("Subject"), kind=Kind.ID),
            Column(
                name="STATUS", sql="s.status", label=_("Status"), codes=dict(SubjectStatus.choices)
            ),
            Column(
                name="CONSENT",
                sql="s.consent_state",
                label=_("Consent"),
                codes=dict(ConsentState.choices),
            ),
            Column(name="DAYZERO", sql="s.day_zero", label=_("Day zero"), kind=Kind.DATE),
            Column(
                name="DTHDTC",
                sql="nullif(s.died_on, '')",
                label=_("Date of death"),
                kind=Kind.PARTIAL_DATE,
                sdtm="DM.DTHDTC",
            ),
            Column(name="LOCK", sql="s.lock_state", label=_("Lock"), codes=_LOCK),
            Column(name="CREATED", sql="s.created_at", label=_("Entered"), kind=Kind.MOMENT),
        ),
        source=f"{SUBJECTS} s JOIN {SITES} t ON t.id = s.site_id",
        site="s.site_id",
        order=_ORDER,
    )


#: Day zero is the first treatment, SDTM's reference start: day 1, the day before it -1.
_DAY = "(v.attended_on - s.day_zero)"
_DUE = (
    "v.status = 'planned' AND coalesce(lower(v.window), v.target_on) "
    "<= (trialsite.now() AT TIME ZONE t.time_zone)::date"
)


def visits() -> Dataset:
    """Each visit as planned and as it took place (SDTM SV)."""
    planned = (
        ("TARGET", "v.target_on", _("Target date"), ""),
        ("WINDOWFIRST", "lower(v.window)", _("First day of the window"), ""),
        # PostgreSQL keeps [first, last + 1); people count the last day in (decisions D10).
        ("WINDOWLAST", "(upper(v.window) - 1)", _("Last day of the window"), ""),
        ("ATTENDED", "v.attended_on", _("Attended on"), "SV.SVSTDTC"),
    )
    days = (
        ("SVSTDY", f"{_DAY} + ({_DAY} >= 0)::int", _("Study day (SDTM)"), "SV.SVSTDY"),
        ("PROTDAY", _DAY, _("Study day (protocol, from 0)"), ""),
        (
            "OUTDAYS",
            "CASE WHEN v.attended_on < lower(v.window) THEN v.attended_on - lower(v.window) "
            "WHEN v.attended_on >= upper(v.window) THEN v.attended_on - upper(v.window) + 1 "
            "WHEN v.attended_on IS NOT NULL AND v.window IS NOT NULL THEN 0 END",
            _("Days outside the window"),
            "",
        ),
    )
    states = dict(VisitStatus.choices)
    return Dataset(
        name="visits",
        title=_("Visits"),
        columns=(
            *KEYS,
            *EVENT_KEYS,
            Column(name="REPEATKEY", sql="v.repeat_key", label=_("Repeat"), kind=Kind.INTEGER),
            Column(name="VISIT", sql="v.id", label=_("Visit"), kind=Kind.ID),
            Column(name="STATUS", sql="v.status", label=_("Status"), codes=states),
            Column(
                name="STATE",
                sql=f"CASE WHEN {_DUE} THEN 'due' ELSE v.status END",
                label=_("State on the day of the export"),
                codes=states,
            ),
            *(
                Column(name=name, sql=sql, label=label, kind=Kind.DATE, sdtm=sdtm)
                for name, sql, label, sdtm in planned
            ),
            *(
                Column(name=name, sql=sql, label=label, kind=Kind.INTEGER, sdtm=sdtm)
                for name, sql, label, sdtm in days
            ),
            *_course(),
            Column(name="LOCK", sql="v.lock_state", label=_("Lock"), codes=_LOCK),
        ),
        source=f"{VISITS} v {_SUBJECT.format('v')}",
        site="v.site_id",
        order=f"{_ORDER}, v.visit_number, v.event_oid, v.repeat_key",
    )


def _course() -> Iterator[Column]:
    """How a visit took place, or why it did not."""
    yield Column(
        name="MODE",
        sql="nullif(v.mode, '')",
        label=_("How the person was seen"),
        codes=dict(VisitMode.choices),
        sdtm="SV.SVCNTMOD",
    )
    yield Column(name="OPENED", sql="v.opened_at", label=_("Opened"), kind=Kind.MOMENT)
    yield Column(
        name="MISSREASON",
        sql="nullif(v.missed_reason, '')",
        label=_("Missed, because"),
        sdtm="SV.SVREASOC",
    )
    yield Column(
        name="NOTREQUIRED",
        sql="nullif(v.not_required_cause, '')",
        label=_("Not required, because"),
        codes=dict(ClosingCause.choices),
    )
    yield Column(name="STANDSFOR", sql="v.stands_for_id", label=_("Stands for"), kind=Kind.ID)
    yield Column(
        name="ANCHOR", sql="v.anchor_version", label=_("Times its dates moved"), kind=Kind.INTEGER
    )


def records() -> Dataset:
    return Dataset(
        name="records",
        title=_("Records"),
        columns=(
            *KEYS,
            *EVENT_KEYS,
            Column(name="FORM", sql="r.form_oid", label=_("Form")),
            Column(name="REPEATKEY", sql="r.repeat_key", label=_("Repeat"), kind=Kind.INTEGER),
            Column(name="RECORD", sql="r.id", label=_("Record"), kind=Kind.ID),
            _STATUS,
            Column(name="NOTDONE", sql="r.not_done_reason", label=_("Reason not done")),
            Column(name="VERSION", sql="r.version", label=_("Saves"), kind=Kind.INTEGER),
            Column(name="COMPLETED", sql="r.completed_at", label=_("Completed"), kind=Kind.MOMENT),
            Column(name="LOCK", sql="r.lock_state", label=_("Lock"), codes=_LOCK),
            Column(name="HASH", sql="r.content_hash", label=_("SHA-256 of the content")),
            Column(name="VOIDED", sql="r.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(name="VOIDREASON", sql="r.void_reason", label=_("Reason for voiding")),
        ),
        source=f"{RECORDS} r {_SUBJECT.format('r')} LEFT JOIN {VISITS} v ON v.id = r.visit_id",
        site="r.site_id",
        order=f"{_ORDER}, v.visit_number, r.form_oid, r.repeat_key, r.id",
    )


def queries() -> Dataset:
    message = (
        f"(SELECT m.{{0}} FROM {MESSAGES} m WHERE m.query_id = q.id ORDER BY m.id {{1}} LIMIT 1)"
    )
    return Dataset(
        name="queries",
        title=_("Queries"),
        columns=(
            *KEYS,
            Column(name="QUERY", sql="q.id", label=_("Query"), kind=Kind.ID),
            Column(name="FORM", sql="r.form_oid", label=_("Form")),
            Column(name="RECORD", sql="r.id", label=_("Record"), kind=Kind.ID),
            Column(name="ITEM", sql="q.item_oid", label=_("Item")),
            Column(name="CHECK", sql="q.check_oid", label=_("Edit check")),
            Column(
                name="STATUS", sql="q.status", label=_("Status"), codes=dict(QueryStatus.choices)
            ),
            Column(name="RAISED", sql="q.raised_at", label=_("Raised"), kind=Kind.MOMENT),
            Column(name="QUESTION", sql=message.format("text", "ASC"), label=_("Question")),
            Column(name="LAST", sql=message.format("text", "DESC"), label=_("Last message")),
            Column(
                name="LASTAT",
                sql=message.format("written_at", "DESC"),
                label=_("Last message at"),
                kind=Kind.MOMENT,
            ),
        ),
        source=f"{QUERIES} q JOIN {RECORDS} r ON r.id = q.record_id {_SUBJECT.format('q')}",
        site="q.site_id",
        order=f"{_ORDER}, q.raised_at, q.id",
    )


def trail() -> Dataset:
    """Every event about a subject, by the subject's present site (decisions D8)."""
    return Dataset(
        name="audit_events",
        title=_("Audit trail"),
        columns=(
            *KEYS,
            Column(name="EVENT", sql="e.eid", label=_("Event"), kind=Kind.INTEGER),
            Column(name="AT", sql="e.at", label=_("When"), kind=Kind.MOMENT),
            Column(name="TRIALAT", sql="e.trial_at", label=_("Study time"), kind=Kind.MOMENT),
            Column(name="ACTOR", sql="e.actor_id", label=_("Who"), kind=Kind.INTEGER),
            Column(name="SYSTEM", sql="e.system", label=_("Process")),
            Column(name="ROLE", sql="e.role", label=_("Role")),
            Column(
                name="CHANNEL", sql="e.channel", label=_("Through"), codes=dict(Channel.choices)
            ),
            Column(
                name="OPERATION", sql="e.operation", label=_("What"), codes=dict(Operation.choices)
            ),
            Column(name="ACT", sql="e.act", label=_("Act")),
            Column(name="TABLE", sql="e.table_name", label=_("Table")),
            Column(name="ROW", sql="e.row_id", label=_("Row")),
            Column(name="RECORD", sql="e.record_id", label=_("Record"), kind=Kind.ID),
            Column(name="REASON", sql="e.reason", label=_("Why")),
            Column(name="OLD", sql="e.old", label=_("Before"), kind=Kind.JSON),
            Column(name="NEW", sql="e.new", label=_("After"), kind=Kind.JSON),
        ),
        source=f"{EVENTS} e {_SUBJECT.format('e')}",
        site="s.site_id",
        order="e.eid",
        needs=Capability.VIEW_TRAIL,
    )
