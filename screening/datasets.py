"""The datasets of screening: the log, and the enrolments."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from screening.models import Enrolment, ScreeningEntry
from screening.models.log import Outcome, Source
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site
from trialsite.casebook.models import ProtocolVersion, Subject
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

ENTRIES, ENROLMENTS, SITES, SUBJECTS, VERSIONS = (
    model._meta.db_table for model in (ScreeningEntry, Enrolment, Site, Subject, ProtocolVersion)
)


@register_datasets
def screening() -> list[Dataset]:
    return [screening_log(), enrolments()]


def screening_log() -> Dataset:
    """Every entry, voided ones too: a number that was given is accounted for."""
    return Dataset(
        name="screenlog",
        title=_("Screening log"),
        columns=(
            Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
            Column(name="SCRNID", sql="n.number", label=_("Screening number")),
            Column(name="SUBJID", sql="s.number", label=_("Subject number"), sdtm="DM.SUBJID"),
            Column(
                name="CONTACT", sql="n.first_contact_on", label=_("First contact"), kind=Kind.DATE
            ),
            Column(name="SOURCE", sql="n.source", label=_("Source"), codes=dict(Source.choices)),
            Column(
                name="OUTCOME", sql="n.outcome", label=_("Outcome"), codes=dict(Outcome.choices)
            ),
            Column(
                name="OUTCOMEON", sql="n.outcome_on", label=_("Date of the outcome"), kind=Kind.DATE
            ),
            Column(name="CRITERIA", sql="array_to_string(n.criteria, ' ')", label=_("Criteria")),
            Column(name="REASONS", sql="array_to_string(n.reasons, ' ')", label=_("Reasons")),
            Column(name="COMMENT", sql="n.comment", label=_("Comment")),
            Column(name="EARLIER", sql="e.number", label=_("Screened before as")),
            Column(name="SAMEAS", sql="p.number", label=_("Likely the same person as")),
            Column(name="ENTRY", sql="n.id", label=_("Entry"), kind=Kind.ID),
            Column(name="OPENED", sql="n.opened_at", label=_("Entered"), kind=Kind.MOMENT),
            Column(name="VOIDED", sql="n.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(name="VOIDREASON", sql="n.void_reason", label=_("Reason for voiding")),
        ),
        source=f"{ENTRIES} n JOIN {SITES} t ON t.id = n.site_id "
        f"LEFT JOIN {SUBJECTS} s ON s.id = n.subject_id "
        f"LEFT JOIN {ENTRIES} e ON e.id = n.earlier_id "
        f"LEFT JOIN {ENTRIES} p ON p.id = n.same_person_as_id",
        site="n.site_id",
        order='t.code COLLATE "C", n.number COLLATE "C"',
        needs=Capability.VIEW_SCREENING,
    )


def enrolments() -> Dataset:
    """Every enrolment, those taken back too, with the target under which its place was taken."""
    return Dataset(
        name="enrolment",
        title=_("Enrolments"),
        columns=(
            Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
            Column(name="SUBJID", sql="r.number", label=_("Subject number"), sdtm="DM.SUBJID"),
            Column(name="SCRNID", sql="s.screening_number", label=_("Screening number")),
            Column(name="ENROLLED", sql="r.enrolled_on", label=_("Enrolled on"), kind=Kind.DATE),
            Column(name="ENROLLEDAT", sql="r.enrolled_at", label=_("Enrolled"), kind=Kind.MOMENT),
            Column(name="PROTOCOL", sql="v.version", label=_("Protocol version")),
            Column(name="TARGET", sql="r.target", label=_("Target"), kind=Kind.INTEGER),
            Column(name="VOIDED", sql="r.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(name="VOIDREASON", sql="r.void_reason", label=_("Reason for voiding")),
        ),
        source=f"{ENROLMENTS} r JOIN {SITES} t ON t.id = r.site_id "
        f"JOIN {SUBJECTS} s ON s.id = r.subject_id "
        f"JOIN {VERSIONS} v ON v.id = r.protocol_version_id",
        site="r.site_id",
        order='t.code COLLATE "C", r.number COLLATE "C"',
    )
