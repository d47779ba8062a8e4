"""Datasets of consent: what was signed (to DS and RFICDTC), assessed and withdrawn."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from screening.models.consent import (
    CapacityAssessment,
    CapacityOutcome,
    Consent,
    ConsentApproval,
    ConsentDocument,
    ConsentKind,
    ConsentLanguage,
    HeGrade,
    Scope,
    Signer,
    Withdrawal,
)
from trialsite.access.capabilities import Role
from trialsite.access.models import Site
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.exports.casebook import KEYS
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

CONSENTS, CAPACITIES, WITHDRAWALS, DOCUMENTS, APPROVALS, RECORDS, SUBJECTS, SITES = (
    model._meta.db_table
    for model in (
        Consent,
        CapacityAssessment,
        Withdrawal,
        ConsentDocument,
        ConsentApproval,
        CrfRecord,
        Subject,
        Site,
    )
)
_HEAD = (
    Column(name="RECORD", sql="r.id", label=_("Record"), kind=Kind.ID),
    Column(name="REPEATKEY", sql="r.repeat_key", label=_("Repeat"), kind=Kind.INTEGER),
)
_TAIL = (
    Column(name="TIMEZONE", sql="d.time_zone", label=_("Time zone")),
    Column(name="COMMENT", sql="d.comment", label=_("Comments"), sdtm="CO.COVAL"),
    Column(name="RECORDED", sql="d.recorded_at", label=_("Recorded"), kind=Kind.MOMENT),
)
_ORDER = 't.code COLLATE "C", s.screening_number COLLATE "C"'


@register_datasets
def consent_datasets() -> list[Dataset]:
    return [
        _of(CONSENTS, "ic", _("Informed consent"), tuple(_signed()), "d.signed_at"),
        _of(CAPACITIES, "capacity", _("Capacity to consent"), tuple(_assessed()), "d.assessed_at"),
        _of(
            WITHDRAWALS,
            "withdrawals",
            _("Withdrawal of consent"),
            tuple(_withdrawn()),
            "d.withdrawn_at",
        ),
        approvals(),
    ]


def _of(table: str, name: str, title: object, columns: tuple[Column, ...], moment: str) -> Dataset:
    joined = f" JOIN {DOCUMENTS} c ON c.id = d.document_id" if table == CONSENTS else ""
    return Dataset(
        name=name,
        title=title,  # type: ignore[arg-type]
        columns=(*KEYS, *_HEAD, *columns, *_TAIL),
        source=f"{table} d JOIN {RECORDS} r ON r.id = d.record_id "
        f"JOIN {SUBJECTS} s ON s.id = d.subject_id JOIN {SITES} t ON t.id = s.site_id{joined}",
        where="r.voided_at IS NULL",
        site="d.site_id",
        order=f"{_ORDER}, {moment}, d.id",
    )


def _signed() -> Iterator[Column]:
    yield Column(
        name="DSDECOD",
        sql="CASE WHEN d.kind = 'initial' THEN 'INFORMED CONSENT OBTAINED' "
        "ELSE 'INFORMED CONSENT OBTAINED AGAIN' END",
        label=_("Disposition event"),
        sdtm="DS.DSDECOD",
    )
    yield Column(name="ICKIND", sql="d.kind", label=_("Act"), codes=dict(ConsentKind.choices))
    yield Column(
        name="ICDTC",
        sql="d.signed_at",
        label=_("Signed at"),
        kind=Kind.DATETIME,
        sdtm="DM.RFICDTC",
    )
    yield Column(name="ICVER", sql="c.version", label=_("Version"), sdtm="SUPPDS.ICVER")
    yield Column(
        name="ICLANG",
        sql="c.language",
        label=_("Language"),
        codes=dict(ConsentLanguage.choices),
    )
    yield Column(name="ICSIGN", sql="d.signer", label=_("Signed by"), codes=dict(Signer.choices))
    yield Column(name="ICREL", sql="d.relation", label=_("Relation of the representative"))
    yield Column(
        name="ICEXPL",
        sql="d.explained_by_id",
        label=_("Explained by"),
        kind=Kind.INTEGER,
    )
    yield Column(name="ICEXPLR", sql="d.explained_role", label=_("Role"), codes=dict(Role.choices))
    yield Column(name="ICWIT", sql="d.witness", label=_("Witness"))
    yield Column(name="ICREP", sql="d.named_representative", label=_("Representative named"))
    answers = (
        ("ICCOPY", "copy_given", _("Copy given to the signer")),
        ("ICFUT", "future_use", _("Future use of samples")),
        ("ICGEN", "genetic_analysis", _("Genetic analysis")),
        ("ICCONT", "later_contact", _("Contact after the trial")),
        ("ICSHARE", "data_sharing", _("Sharing of data")),
    )
    for name, column, label in answers:
        yield Column(name=name, sql=f"d.{column}", label=label, kind=Kind.BOOLEAN)
    yield Column(
        name="ICRESUME",
        sql="array_to_string(d.resumes, ' ')",
        label=_("Takes back the withdrawal of"),
        codes=dict(Scope.choices),
    )


def _assessed() -> Iterator[Column]:
    yield Column(name="CAPDTC", sql="d.assessed_at", label=_("Assessed at"), kind=Kind.DATETIME)
    yield Column(name="CAPBY", sql="d.assessor_id", label=_("Assessed by"), kind=Kind.INTEGER)
    yield Column(
        name="CAPHE",
        sql="d.he_grade",
        label=_("Hepatic encephalopathy"),
        codes=dict(HeGrade.choices),
    )
    yield Column(
        name="CAPRES", sql="d.outcome", label=_("Capacity"), codes=dict(CapacityOutcome.choices)
    )
    yield Column(name="CAPMETH", sql="d.method", label=_("How it was assessed"))


def _withdrawn() -> Iterator[Column]:
    yield Column(
        name="WDDTC",
        sql="d.withdrawn_at",
        label=_("Stated at"),
        kind=Kind.DATETIME,
        sdtm="DS.DSSTDTC",
    )
    for scope in Scope:
        yield Column(
            name=f"WD{scope.name.replace('_', '')[:6]}",
            sql=f"('{scope.value}' = ANY (d.scopes))",
            label=scope.label,
            kind=Kind.BOOLEAN,
        )
    yield Column(name="WDBY", sql="d.stated_by", label=_("Stated by"), codes=dict(Signer.choices))
    yield Column(name="WDREL", sql="d.relation", label=_("Relation of the representative"))
    yield Column(name="WDREASON", sql="d.reason", label=_("Reason, if one was given"))


def approvals() -> Dataset:
    days = (
        ("APPROVED", "a.approved_on", _("Approved on")),
        ("EFFECTIVE", "a.effective_on", _("In force from")),
        ("WITHDRAWN", "a.withdrawn_on", _("Withdrawn from")),
    )
    return Dataset(
        name="consent_approvals",
        title=_("Approvals of consent documents"),
        columns=(
            Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
            Column(name="ICVER", sql="c.version", label=_("Version")),
            Column(
                name="ICLANG",
                sql="c.language",
                label=_("Language"),
                codes=dict(ConsentLanguage.choices),
            ),
            Column(name="TITLE", sql="c.title", label=_("Title")),
            Column(
                name="RECONSENT",
                sql="c.reconsent_required",
                label=_("Present participants consent anew"),
                kind=Kind.BOOLEAN,
            ),
            Column(name="COMMITTEE", sql="a.committee", label=_("Ethics committee")),
            Column(name="REFERENCE", sql="a.reference", label=_("Approval number")),
            *(Column(name=name, sql=sql, label=label, kind=Kind.DATE) for name, sql, label in days),
            Column(name="WDREASON", sql="a.withdrawal_reason", label=_("Why withdrawn")),
        ),
        source=f"{APPROVALS} a JOIN {DOCUMENTS} c ON c.id = a.document_id "
        f"JOIN {SITES} t ON t.id = a.site_id",
        site="a.site_id",
        order='t.code COLLATE "C", a.effective_on, a.id',
    )
