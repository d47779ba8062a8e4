"""Datasets of treatment sessions and their checklists; the rows' own come from the engine."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.access.models import User
from trialsite.exports.casebook import EVENT_KEYS, KEYS, RECORDS, SITES, SUBJECTS, VISITS
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from visits.models import ChecklistAnswer, EventLook, Finding, Interruption, TreatmentSession
from visits.models.session_codes import Modality, State, StopReason

SESSIONS, ANSWERS, PAUSES, PEOPLE, LOOKS = (
    model._meta.db_table
    for model in (TreatmentSession, ChecklistAnswer, Interruption, User, EventLook)
)


def _at(column: str, row: str = "d", session: str = "d") -> str:
    """A time on the wall as a moment."""
    return f"({row}.{column} AT TIME ZONE {session}.time_zone)"


def effective_sql(session: str) -> str:
    """The effective minutes of an ended session whose table has this alias; else NULL."""
    start, end = (_at(column, session, session) for column in ("started_at", "ended_at"))
    return _minutes(start, end, without_pauses=True, session=session)


def _minutes(start: str, end: str, *, without_pauses: bool, session: str = "d") -> str:
    """Minutes between two moments, interruptions taken out once however they overlap.

    The same as `visits.effective`, which a test holds beside it.
    """
    pauses = (
        "- coalesce((SELECT range_agg(tstzrange("
        f"least({_at('off_at', 'i', session)}, {end}), "
        f"greatest(least({_at('off_at', 'i', session)}, {end}), "
        f"least(coalesce({_at('on_at', 'i', session)}, {end}), {end})))) "
        f"FROM {PAUSES} i WHERE i.record_id = {session}.record_id AND i.voided_at IS NULL "
        "AND i.off_at IS NOT NULL), '{}'::tstzmultirange)"
    )
    ran = f"tstzmultirange(tstzrange({start}, {end})) {pauses if without_pauses else ''}"
    return (
        f"CASE WHEN {end} >= {start} THEN (SELECT trim_scale(round(coalesce(sum(extract(epoch "
        f"FROM upper(u) - lower(u))), 0) / 60, 1)) FROM unnest({ran}) u) END"
    )


_START, _END = _at("started_at"), _at("ended_at")
_STATE = (
    "CASE WHEN d.voided_at IS NOT NULL THEN 'voided' WHEN d.started_at IS NULL THEN 'prepared' "
    "WHEN d.ended_at IS NULL THEN 'running' ELSE 'ended' END"
)
_SOURCE = (
    f"JOIN {RECORDS} r ON r.id = d.record_id JOIN {SUBJECTS} s ON s.id = d.subject_id "
    f"JOIN {SITES} t ON t.id = s.site_id LEFT JOIN {VISITS} v ON v.id = r.visit_id"
)
_ORDER = 't.code COLLATE "C", s.screening_number COLLATE "C"'


@register_datasets
def session_data() -> list[Dataset]:
    return [sessions(), answers(), looks()]


def _person(name: str, column: str, label: object) -> Column:
    return Column(
        name=name,
        sql=f"(SELECT p.full_name FROM {PEOPLE} p WHERE p.id = d.{column})",
        label=label,  # type: ignore[arg-type]
    )


def _time(name: str, column: str, label: object, sdtm: str = "") -> Column:
    return Column(
        name=name,
        sql=f"d.{column}",
        label=label,  # type: ignore[arg-type]
        kind=Kind.DATETIME,
        sdtm=sdtm,
    )


def sessions() -> Dataset:
    """One row for each session, voided ones with their number and reason (SDTM PR)."""
    return Dataset(
        name="treatment_sessions",
        title=_("Treatment sessions"),
        columns=(
            *KEYS,
            *EVENT_KEYS,
            Column(name="RECORD", sql="r.id", label=_("Record"), kind=Kind.ID),
            Column(name="STATUS", sql="r.status", label=_("Status")),
            Column(
                name="SESSNO",
                sql="d.number",
                label=_("Session no."),
                kind=Kind.INTEGER,
                sdtm="PR.PRSPID",
            ),
            Column(name="STATE", sql=_STATE, label=_("State"), codes=dict(State.choices)),
            *_prescribed(),
            *_course(),
            _person("OPERATOR", "operator_id", _("Operator")),
            _person("CHECKER", "second_checker_id", _("Second checker")),
            _person("PHYSICIAN", "physician_id", _("Physician")),
            Column(name="VOIDED", sql="d.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(
                name="VOIDREASON", sql="nullif(d.void_reason, '')", label=_("Reason for voiding")
            ),
        ),
        source=f"{SESSIONS} d {_SOURCE}",
        site="d.site_id",
        order=f"{_ORDER}, d.number, d.record_id",
    )


def _prescribed() -> tuple[Column, ...]:
    codes = dict(Modality.choices)
    return (
        Column(
            name="SESMOD",
            sql="(SELECT string_agg(m, ' ') FROM jsonb_array_elements_text(d.modality) m)",
            label=_("Modality"),
            sdtm="PR.PRTRT",
        ),
        *(
            Column(
                name=f"MOD{code.replace('_', '')}",
                sql=f"d.modality ? '{code}'",
                label=label,
                kind=Kind.BOOLEAN,
            )
            for code, label in codes.items()
        ),
        Column(name="SESMODSP", sql="nullif(d.modality_other, '')", label=_("Other modality")),
        Column(
            name="NOCELLS",
            sql="nullif(d.no_cells_reason, '')",
            label=_("Why without the MSC reactor"),
        ),
        Column(
            name="SESDUR",
            sql="d.planned_minutes",
            label=_("Prescribed duration, minutes"),
            kind=Kind.INTEGER,
            unit="min",
        ),
    )


def _course() -> tuple[Column, ...]:
    spans = (
        ("CIRCMIN", _minutes(_START, _END, without_pauses=False), _("Circuit minutes")),
        ("EFFMIN", _minutes(_START, _END, without_pauses=True), _("Effective minutes")),
        (
            "CELLMIN",
            _minutes(_at("cells_on_at"), _at("cells_off_at"), without_pauses=True),
            _("Contact minutes of the cells"),
        ),
    )
    return (
        _time("SESSTDTM", "started_at", _("Circuit started"), "PR.PRSTDTC"),
        _time("SESENDTM", "ended_at", _("Circuit ended"), "PR.PRENDTC"),
        _time("CELLON", "cells_on_at", _("Cell reactor on"), "EX.EXSTDTC"),
        _time("CELLOFF", "cells_off_at", _("Cell reactor off"), "EX.EXENDTC"),
        Column(name="TIMEZONE", sql="d.time_zone", label=_("Time zone")),
        *(
            Column(name=name, sql=sql, label=label, kind=Kind.FLOAT, unit="min")
            for name, sql, label in spans
        ),
        Column(
            name="STOPREAS",
            sql="nullif(d.stop_reason, '')",
            label=_("Reason for the end"),
            codes=dict(StopReason.choices),
        ),
        Column(name="STOPCOM", sql="nullif(d.stop_comment, '')", label=_("Comment on the end")),
    )


def answers() -> Dataset:
    """One row for each answer of a session's checklist, with what a physician let pass."""
    return Dataset(
        name="session_checklists",
        title=_("Checklists of treatment sessions"),
        columns=(
            *KEYS,
            Column(name="RECORD", sql="r.id", label=_("Record"), kind=Kind.ID),
            Column(name="SESSNO", sql="e.number", label=_("Session no."), kind=Kind.INTEGER),
            Column(name="QUESTION", sql="d.key", label=_("Question")),
            Column(name="ANSWER", sql="d.answer", label=_("Answer"), kind=Kind.BOOLEAN),
            Column(name="REMARK", sql="nullif(d.reason, '')", label=_("Remark")),
            _person("ANSWEREDBY", "answered_by_id", _("Answered by")),
            Column(name="ANSWERED", sql="d.answered_at", label=_("Answered"), kind=Kind.MOMENT),
            _person("OVERRIDDENBY", "overridden_by_id", _("Overridden by")),
            Column(
                name="OVERRIDDEN", sql="d.overridden_at", label=_("Overridden"), kind=Kind.MOMENT
            ),
            Column(
                name="OVERRIDEREASON",
                sql="nullif(d.override_reason, '')",
                label=_("Reason to start all the same"),
            ),
        ),
        source=f"{ANSWERS} d JOIN {SESSIONS} e ON e.record_id = d.record_id {_SOURCE}",
        where="e.voided_at IS NULL",
        site="d.site_id",
        order=f'{_ORDER}, e.number, d.key COLLATE "C", d.id',
    )


def looks() -> Dataset:
    """One row for each look for adverse events after a session."""
    return Dataset(
        name="session_looks",
        title=_("Looks for adverse events after treatment sessions"),
        columns=(
            *KEYS,
            Column(name="RECORD", sql="r.id", label=_("Record"), kind=Kind.ID),
            Column(name="SESSNO", sql="e.number", label=_("Session no."), kind=Kind.INTEGER),
            Column(
                name="FINDING",
                sql="d.finding",
                label=_("Adverse events"),
                codes=dict(Finding.choices),
            ),
            Column(name="COMMENT", sql="nullif(d.comment, '')", label=_("Comment")),
            _person("LOOKEDBY", "looked_by_id", _("Looked by")),
            Column(name="LOOKED", sql="d.looked_at", label=_("Looked"), kind=Kind.MOMENT),
            Column(name="VOIDED", sql="d.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(
                name="VOIDREASON", sql="nullif(d.void_reason, '')", label=_("Reason for voiding")
            ),
        ),
        source=f"{LOOKS} d JOIN {SESSIONS} e ON e.record_id = d.record_id {_SOURCE}",
        where="e.voided_at IS NULL",
        site="d.site_id",
        order=f"{_ORDER}, e.number, d.looked_at, d.id",
    )
