"""The datasets of safety reporting: cases, and each sending with its receipt."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from outcomes.models import (
    AdverseEvent,
    Expedited,
    FurtherWord,
    KnownBy,
    ReportKind,
    SaeCase,
    SaeDeadline,
    SaeReceipt,
    SaeReport,
    SponsorAwareness,
    Standing,
    Suspected,
    To,
    VoidedAcknowledgement,
    Way,
)
from trialsite.access.models import Site
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

CASES, DEADLINES, REPORTS, RECEIPTS, TAKEN, KNOWN, WORDS, EVENTS, RECORDS, SITES, SUBJECTS = (
    model._meta.db_table
    for model in (
        SaeCase,
        SaeDeadline,
        SaeReport,
        SaeReceipt,
        VoidedAcknowledgement,
        SponsorAwareness,
        FurtherWord,
        AdverseEvent,
        CrfRecord,
        Site,
        Subject,
    )
)

_NUMBER = "coalesce(s.number, s.screening_number) || '-SAE-' || r.repeat_key"
_WHO = (
    Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
    Column(name="SUBJID", sql="s.number", label=_("Subject number"), sdtm="DM.SUBJID"),
    Column(name="SCRNID", sql="s.screening_number", label=_("Screening number")),
    Column(name="CASE", sql=_NUMBER, label=_("Case")),
    Column(name="RECORD", sql="c.record_id", label=_("Record"), kind=Kind.ID),
)
_FROM = (
    f"{CASES} c JOIN {RECORDS} r ON r.id = c.record_id JOIN {SITES} t ON t.id = c.site_id "
    f"JOIN {SUBJECTS} s ON s.id = c.subject_id"
)
_ORDER = 't.code COLLATE "C", s.screening_number COLLATE "C", r.repeat_key'


@register_datasets
def safety() -> list[Dataset]:
    return [_cases(), _receipts(), _deadlines(), _voided(), _known(), _words()]


def _cases() -> Dataset:
    return Dataset(
        name="sae_cases",
        title=_("Cases of serious adverse events"),
        columns=(
            *_WHO,
            Column(name="AETERM", sql="e.term", label=_("Event"), sdtm="AE.AETERM"),
            Column(name="AWARE", sql="c.aware_at", label=_("The site first knew of it"),
                   kind=Kind.MOMENT),
            Column(name="AWARESAID", sql="c.aware_said", label=_("Said by a person"),
                   kind=Kind.BOOLEAN),
            Column(name="OPENED", sql="c.opened_at", label=_("Opened"), kind=Kind.MOMENT),
            Column(name="REPORTER", sql="nullif(c.reporter, '')", label=_("Reporter")),
            Column(name="SUSPECT", sql="c.suspected", label=_("Suspected cause"),
                   codes=dict(Suspected.choices)),
            Column(name="HELDFOR", sql="nullif(c.expedited, '')", label=_("Held for"),
                   codes=dict(Expedited.choices)),
            Column(name="HELDREAS", sql="nullif(c.expedited_reason, '')", label=_("Reason")),
            Column(
                name="REPORTS",
                sql=f"(SELECT count(*) FROM {REPORTS} p WHERE p.case_id = c.id)::integer",
                label=_("Reports"),
                kind=Kind.INTEGER,
            ),
            Column(name="STANDING", sql="c.standing", label=_("Held by the site for"),
                   codes=dict(Standing.choices)),
            Column(name="STANDSINCE", sql="c.standing_since", label=_("Known since"),
                   kind=Kind.MOMENT),
            Column(name="AGREED", sql="c.agreed_at", label=_("Agreed"), kind=Kind.MOMENT),
            Column(name="AGREEREAS", sql="nullif(c.agreed_reason, '')",
                   label=_("Reason for agreeing")),
            Column(name="EASED", sql="c.eased_at", label=_("Deadline eased"), kind=Kind.MOMENT),
            Column(name="EASEREAS", sql="nullif(c.eased_reason, '')",
                   label=_("Why a deadline was eased")),
            Column(name="CLOSED", sql="c.closed_at", label=_("Closed"), kind=Kind.MOMENT),
            Column(name="CLOSEREAS", sql="nullif(c.close_reason, '')",
                   label=_("Reason for closing")),
        ),
        source=f"{_FROM} JOIN {EVENTS} e ON e.record_id = c.record_id",
        site="c.site_id",
        order=f"{_ORDER}, c.id",
    )  # fmt: skip


def _receipts() -> Dataset:
    return Dataset(
        name="sae_receipts",
        title=_("Safety reports sent, with their receipts"),
        columns=(
            *_WHO,
            Column(name="REPORT", sql="p.number", label=_("Report no."), kind=Kind.INTEGER),
            Column(name="KIND", sql="p.kind", label=_("Kind"), codes=dict(ReportKind.choices)),
            Column(name="SIGNED", sql="p.signed_at", label=_("Signed"), kind=Kind.MOMENT),
            Column(name="SHA256", sql="p.content_hash", label=_("SHA-256 of the content")),
            Column(name="TO", sql="q.recipient", label=_("Recipient"), codes=dict(To.choices)),
            Column(name="DUE", sql="q.due_at", label=_("Due"), kind=Kind.MOMENT),
            Column(name="SENT", sql="q.submitted_at", label=_("Submitted"), kind=Kind.MOMENT),
            Column(
                name="INTIME",
                sql="q.submitted_at <= q.due_at",
                label=_("In time"),
                kind=Kind.BOOLEAN,
            ),
            Column(
                name="PAPER",
                sql="q.evidence_id IS NOT NULL",
                label=_("Sent before it was signed"),
                kind=Kind.BOOLEAN,
            ),
            Column(name="WAY", sql="q.way", label=_("Sent by"), codes=dict(Way.choices)),
            Column(name="RECEIVED", sql="q.received_at", label=_("Received"), kind=Kind.MOMENT),
            Column(name="RECEIPT", sql="nullif(q.receipt_number, '')", label=_("Receipt no.")),
            Column(
                name="RECEIPTBY",
                sql="q.by_recipient",
                label=_("Entered by the recipient"),
                kind=Kind.BOOLEAN,
            ),
            Column(name="VOIDED", sql="q.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(name="VOIDREAS", sql="nullif(q.void_reason, '')", label=_("Reason for voiding")),
        ),
        source=f"{_FROM} JOIN {RECEIPTS} q ON q.case_id = c.id "
        f"JOIN {REPORTS} p ON p.id = q.report_id",
        site="c.site_id",
        order=f"{_ORDER}, p.number, q.recipient, q.submitted_at, q.id",
    )


def _deadlines() -> Dataset:
    return Dataset(
        name="sae_deadlines",
        title=_("Reporting deadlines, those that no longer stand too"),
        columns=(
            *_WHO,
            Column(name="RULE", sql="d.rule", label=_("Rule")),
            Column(name="TO", sql="d.recipient", label=_("Recipient"), codes=dict(To.choices)),
            Column(name="FROM", sql="d.counted_from", label=_("Counted from the awareness of")),
            Column(name="SINCE", sql="d.since", label=_("Counted from"), kind=Kind.MOMENT),
            Column(name="DUE", sql="d.due_at", label=_("Due"), kind=Kind.MOMENT),
            Column(name="DERIVED", sql="d.derived_at", label=_("Derived"), kind=Kind.MOMENT),
            Column(name="DERREAS", sql="d.reason", label=_("Why it was derived")),
            Column(
                name="KEPT",
                sql="(d.kept_by_id IS NOT NULL)",
                label=_("Stands because an easing was declined"),
                kind=Kind.BOOLEAN,
            ),
            Column(name="REPLACED", sql="d.replaced_at", label=_("Replaced"), kind=Kind.MOMENT),
            Column(
                name="REPLREAS",
                sql="nullif(d.replace_reason, '')",
                label=_("Why it was replaced"),
            ),
        ),
        source=f"{_FROM} JOIN {DEADLINES} d ON d.case_id = c.id",
        site="c.site_id",
        order=f"{_ORDER}, d.derived_at, d.rule, d.id",
    )


def _voided() -> Dataset:
    return Dataset(
        name="sae_receipts_voided",
        title=_("Receipts of safety reports that were voided"),
        columns=(
            *_WHO,
            Column(name="REPORT", sql="p.number", label=_("Report no."), kind=Kind.INTEGER),
            Column(name="TO", sql="q.recipient", label=_("Recipient"), codes=dict(To.choices)),
            Column(name="RECEIVED", sql="v.received_at", label=_("Received"), kind=Kind.MOMENT),
            Column(name="RECEIPT", sql="nullif(v.receipt_number, '')", label=_("Receipt no.")),
            Column(name="VOIDED", sql="v.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(name="VOIDREAS", sql="v.void_reason", label=_("Reason for voiding")),
        ),
        source=f"{_FROM} JOIN {RECEIPTS} q ON q.case_id = c.id "
        f"JOIN {REPORTS} p ON p.id = q.report_id JOIN {TAKEN} v ON v.receipt_id = q.id",
        site="c.site_id",
        order=f"{_ORDER}, v.voided_at, v.id",
    )


def _known() -> Dataset:
    return Dataset(
        name="sae_sponsor_awareness",
        title=_("When the sponsor knew otherwise than by a report"),
        columns=(
            *_WHO,
            Column(name="KNOWN", sql="k.known_at", label=_("The sponsor knew at"),
                   kind=Kind.MOMENT),
            Column(name="SOURCE", sql="k.source", label=_("How the sponsor knew"),
                   codes=dict(KnownBy.choices)),
            Column(name="TOLD", sql="k.told", label=_("Who told whom what")),
            Column(name="GRAVE", sql="k.grave", label=_("Known as fatal or life-threatening"),
                   kind=Kind.BOOLEAN),
            Column(name="SUSPECTED", sql="k.suspected",
                   label=_("Known as suspected of the treatment"), kind=Kind.BOOLEAN),
            Column(name="ENTERED", sql="k.entered_at", label=_("Entered"), kind=Kind.MOMENT),
            Column(name="VOIDED", sql="k.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(name="VOIDREAS", sql="nullif(k.void_reason, '')", label=_("Reason for voiding")),
        ),
        source=f"{_FROM} JOIN {KNOWN} k ON k.case_id = c.id",
        site="c.site_id",
        order=f"{_ORDER}, k.entered_at, k.id",
    )  # fmt: skip


def _words() -> Dataset:
    return Dataset(
        name="sae_further_words",
        title=_("Further first words of serious adverse events"),
        columns=(
            *_WHO,
            Column(name="TERM", sql="w.term", label=_("Event")),
            Column(name="REPORTER", sql="w.reporter", label=_("Reporter")),
            Column(name="SUSPECT", sql="w.suspected", label=_("Suspected cause"),
                   codes=dict(Suspected.choices)),
            Column(name="AWARE", sql="w.aware_at", label=_("Known to this reporter"),
                   kind=Kind.MOMENT),
            Column(name="ENTERED", sql="w.said_at", label=_("Entered"), kind=Kind.MOMENT),
        ),
        source=f"{_FROM} JOIN {WORDS} w ON w.case_id = c.id",
        site="c.site_id",
        order=f"{_ORDER}, w.said_at, w.id",
    )  # fmt: skip
