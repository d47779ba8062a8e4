"""The dataset of deviations (SDTM DV)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trialsite.access.models import Site
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.conduct.models import Category, Deviation, DeviationStatus, Importance, Origin
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

DEVIATIONS, SITES, SUBJECTS, RECORDS = (
    model._meta.db_table for model in (Deviation, Site, Subject, CrfRecord)
)


@register_datasets
def deviations() -> list[Dataset]:
    return [
        Dataset(
            name="dv",
            title=_("Protocol deviations"),
            columns=(
                Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
                Column(name="SUBJID", sql="s.number", label=_("Subject number"), sdtm="DM.SUBJID"),
                Column(name="SCRNID", sql="s.screening_number", label=_("Screening number")),
                Column(name="DEVIATION", sql="d.id", label=_("Deviation"), kind=Kind.ID),
                Column(name="RECORD", sql="d.record_id", label=_("Record"), kind=Kind.ID),
                Column(
                    name="ORIGIN", sql="d.origin", label=_("Origin"), codes=dict(Origin.choices)
                ),
                Column(name="KIND", sql="nullif(d.kind, '')", label=_("Proposed by")),
                Column(
                    name="STATUS",
                    sql="d.status",
                    label=_("Status"),
                    codes=dict(DeviationStatus.choices),
                ),
                Column(
                    name="DVTERM", sql="d.description", label=_("Description"), sdtm="DV.DVTERM"
                ),
                Column(
                    name="DVCAT",
                    sql="array_to_string(d.categories, '; ')",
                    label=_("Categories"),
                    codes=dict(Category.choices),
                    sdtm="DV.DVCAT",
                ),
                Column(
                    name="DVSEV",
                    sql="nullif(d.importance, '')",
                    label=_("Class"),
                    codes=dict(Importance.choices),
                    sdtm="SUPPDV.DVSEV",
                ),
                Column(
                    name="DVSTDTC",
                    sql="d.occurred_on",
                    label=_("Occurred on"),
                    kind=Kind.PARTIAL_DATE,
                    sdtm="DV.DVSTDTC",
                ),
                Column(
                    name="DISCOVERED",
                    sql="d.discovered_on",
                    label=_("Discovered on"),
                    kind=Kind.DATE,
                ),
                Column(
                    name="MEASURES",
                    sql="nullif(d.measures, '')",
                    label=_("Corrective and preventive action"),
                ),
                Column(
                    name="ETHICS",
                    sql="d.ethics_reported_on",
                    label=_("Reported to the ethics committee on"),
                    kind=Kind.DATE,
                ),
                Column(
                    name="DISMISSED",
                    sql="nullif(d.dismiss_reason, '')",
                    label=_("Why it is none"),
                ),
                Column(
                    name="CAUSEENDED",
                    sql="d.cause_ended_at",
                    label=_("Cause taken back"),
                    kind=Kind.MOMENT,
                ),
                Column(name="ENTERED", sql="d.entered_at", label=_("Entered"), kind=Kind.MOMENT),
                Column(name="DECIDED", sql="d.decided_at", label=_("Decided"), kind=Kind.MOMENT),
                Column(
                    name="CLOSED",
                    sql="d.closed_at",
                    label=pgettext_lazy("deviation", "Closed"),
                    kind=Kind.MOMENT,
                ),
            ),
            source=f"{DEVIATIONS} d JOIN {SITES} t ON t.id = d.site_id "
            f"LEFT JOIN {SUBJECTS} s ON s.id = d.subject_id "
            f"LEFT JOIN {RECORDS} r ON r.id = d.record_id",
            where="r.voided_at IS NULL",
            site="d.site_id",
            order='t.code COLLATE "C", s.screening_number COLLATE "C", d.entered_at, d.id',
        )
    ]
