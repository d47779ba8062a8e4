"""The dataset of eligibility: one row per criterion of every signed evaluation (SDTM IE)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from screening.models.eligibility import (
    CriterionAnswer,
    CriterionState,
    Decided,
    EligibilityEvaluation,
)
from trialsite.access.models import Site
from trialsite.casebook.models import CrfRecord, ProtocolVersion, Subject
from trialsite.exports.casebook import KEYS
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

EVALUATIONS, ANSWERS, RECORDS, SUBJECTS, SITES, VERSIONS = (
    model._meta.db_table
    for model in (
        EligibilityEvaluation,
        CriterionAnswer,
        CrfRecord,
        Subject,
        Site,
        ProtocolVersion,
    )
)

#: SDTM numbers inclusion and exclusion criteria each from 1, in the protocol's order.
_TESTCD = (
    "CASE WHEN a.inclusion THEN 'INCL' ELSE 'EXCL' END || lpad((row_number() OVER "
    "(PARTITION BY a.record_id, a.inclusion ORDER BY a.position))::text, 2, '0')"
)
_LATEST = (
    f"d.number = (SELECT max(o.number) FROM {EVALUATIONS} o JOIN {RECORDS} p "
    "ON p.id = o.record_id WHERE o.subject_id = d.subject_id AND p.voided_at IS NULL)"
)


@register_datasets
def eligibility() -> list[Dataset]:
    return [
        Dataset(
            name="ie",
            title=_("Eligibility criteria"),
            columns=(
                *KEYS,
                Column(name="RECORD", sql="d.record_id", label=_("Record"), kind=Kind.ID),
                Column(name="IENUM", sql="d.number", label=_("Number"), kind=Kind.INTEGER),
                Column(name="IETESTCD", sql=_TESTCD, label=_("Criterion"), sdtm="IE.IETESTCD"),
                Column(name="CRITERION", sql="a.criterion", label=_("Criterion of the protocol")),
                Column(
                    name="IECAT",
                    sql="CASE WHEN a.inclusion THEN 'INCLUSION' ELSE 'EXCLUSION' END",
                    label=_("Category"),
                    sdtm="IE.IECAT",
                ),
                Column(
                    name="IEORRES",
                    sql="CASE a.state WHEN 'met' THEN 'Y' WHEN 'not_met' THEN 'N' END",
                    label=_("Verdict"),
                    sdtm="IE.IEORRES",
                ),
                Column(
                    name="JUDGED",
                    sql="a.judged",
                    label=_("Judged by the investigator"),
                    kind=Kind.BOOLEAN,
                ),
                Column(
                    name="ANSWER",
                    sql="nullif(a.answer, '')",
                    label=_("Investigator's answer"),
                    codes=dict(CriterionState.choices),
                ),
                Column(name="NOTE", sql="nullif(a.note, '')", label=_("Note")),
                Column(
                    name="DECISION",
                    sql="d.decision",
                    label=_("Decision"),
                    codes=dict(Decided.choices),
                ),
                Column(
                    name="EVALUATED", sql="d.evaluated_at", label=_("Evaluated"), kind=Kind.MOMENT
                ),
                Column(
                    name="SIGNEDBY", sql="d.signed_by_id", label=_("Signed by"), kind=Kind.INTEGER
                ),
                Column(name="LATEST", sql=_LATEST, label=_("Latest"), kind=Kind.BOOLEAN),
                Column(name="PROTOCOL", sql="v.version", label=_("Protocol version")),
                Column(name="ENGINE", sql="d.engine", label=_("Version of the rules engine")),
                Column(name="HASH", sql="d.content_hash", label=_("SHA-256 of the content")),
            ),
            source=f"{ANSWERS} a JOIN {EVALUATIONS} d ON d.record_id = a.record_id "
            f"JOIN {RECORDS} r ON r.id = d.record_id "
            f"JOIN {VERSIONS} v ON v.id = d.protocol_version_id "
            f"JOIN {SUBJECTS} s ON s.id = d.subject_id JOIN {SITES} t ON t.id = s.site_id",
            where="r.voided_at IS NULL",
            site="d.site_id",
            order='t.code COLLATE "C", s.screening_number COLLATE "C", d.number, a.position',
        )
    ]
