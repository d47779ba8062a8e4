"""The datasets of signatures and of confirmed assumptions."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site
from trialsite.casebook.models import ProtocolVersion, Subject
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from trialsite.review.models import ConfirmedAssumption, Sense, Signature

SIGNATURES, CONFIRMATIONS, SITES, SUBJECTS, VERSIONS = (
    model._meta.db_table
    for model in (Signature, ConfirmedAssumption, Site, Subject, ProtocolVersion)
)
_LOCAL = "to_char(g.trial_at AT TIME ZONE g.time_zone, 'YYYY-MM-DD\"T\"HH24:MI:SS')"


@register_datasets
def signed() -> list[Dataset]:
    return [signatures(), study_signatures(), confirmed_assumptions()]


_SIGNED = (
    Column(name="SIGNATURE", sql="g.id", label=_("Signature"), kind=Kind.ID),
    Column(name="KIND", sql="g.kind", label=_("Kind")),
    Column(name="TARGET", sql="g.target", label=_("Signed thing"), kind=Kind.ID),
    Column(name="RECORD", sql="g.record_id", label=_("Record"), kind=Kind.ID),
    Column(name="NAME", sql="g.printed_name", label=_("Printed name")),
    Column(name="ROLE", sql="g.role", label=_("Role")),
    Column(name="SENSE", sql="g.sense", label=_("Sense"), codes=dict(Sense.choices)),
    Column(name="MEANING", sql="g.meaning", label=_("Meaning")),
    Column(name="SIGNED", sql="g.signed_at", label=_("Signed"), kind=Kind.MOMENT),
    Column(name="TRIALAT", sql="g.trial_at", label=_("Study time"), kind=Kind.MOMENT),
    Column(name="LOCAL", sql=_LOCAL, label=_("Signed, on the clock of the site")),
    Column(name="ZONE", sql="g.time_zone", label=_("Time zone")),
    Column(name="SEAL", sql="g.seal", label=_("SHA-256 of what was signed")),
    Column(name="VOIDED", sql="g.voided_at", label=_("Voided"), kind=Kind.MOMENT),
    Column(name="VOIDREASON", sql="g.void_reason", label=_("Reason for voiding")),
)


def signatures() -> Dataset:
    return Dataset(
        name="signatures",
        title=_("Signatures"),
        columns=(
            Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
            Column(name="SUBJID", sql="s.number", label=_("Subject number"), sdtm="DM.SUBJID"),
            Column(name="SCRNID", sql="s.screening_number", label=_("Screening number")),
            *_SIGNED,
        ),
        source=f"{SIGNATURES} g JOIN {SITES} t ON t.id = g.site_id "
        f"LEFT JOIN {SUBJECTS} s ON s.id = g.subject_id",
        site="g.site_id",
        order='t.code COLLATE "C", g.signed_at, g.id',
    )


def study_signatures() -> Dataset:
    return Dataset(
        name="study_signatures",
        title=_("Signatures of the whole study"),
        columns=_SIGNED,
        source=f"{SIGNATURES} g",
        where="g.site_id IS NULL",
        site="",
        order="g.signed_at, g.id",
    )


def confirmed_assumptions() -> Dataset:
    return Dataset(
        name="confirmed_assumptions",
        title=_("Confirmed assumptions"),
        columns=(
            Column(name="VERSION", sql="v.version", label=_("Version")),
            Column(name="PATH", sql="c.path", label=_("Path")),
            Column(name="VALUE", sql="c.value", label=_("Value")),
            Column(name="CONFIRMED", sql="c.confirmed_at", label=_("Confirmed"), kind=Kind.MOMENT),
            Column(name="SIGNATURE", sql="c.signature_id", label=_("Signature"), kind=Kind.ID),
            Column(name="REVOKED", sql="c.revoked_at", label=_("Revoked"), kind=Kind.MOMENT),
            Column(name="REVOKEREASON", sql="c.revoke_reason", label=_("Reason for revoking")),
        ),
        source=f"{CONFIRMATIONS} c JOIN {VERSIONS} v ON v.id = c.version_id",
        site="",
        order='v.id, c.path COLLATE "C", c.confirmed_at',
    )
