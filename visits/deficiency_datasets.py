"""The dataset of device deficiencies (SDTM DE)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site
from trialsite.casebook.models import Subject
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from visits.models import TreatmentSession
from visits.models.deficiencies import Component, DeviceDeficiency, Phase, Whereabouts

DEFICIENCIES, SESSIONS, SITES, SUBJECTS = (
    model._meta.db_table for model in (DeviceDeficiency, TreatmentSession, Site, Subject)
)


@register_datasets
def deficiencies() -> list[Dataset]:
    return [
        Dataset(
            name="de",
            title=_("Device deficiencies"),
            columns=(
                Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
                Column(name="SUBJID", sql="s.number", label=_("Subject number"), sdtm="DM.SUBJID"),
                Column(name="SCRNID", sql="s.screening_number", label=_("Screening number")),
                Column(name="DEFICIENCY", sql="d.id", label=_("Device deficiency"), kind=Kind.ID),
                Column(name="RECORD", sql="d.record_id", label=_("Record"), kind=Kind.ID),
                Column(name="SESSION", sql="x.number", label=_("Session"), kind=Kind.INTEGER),
                Column(
                    name="COMPONENT",
                    sql="d.component",
                    label=_("Component"),
                    codes=dict(Component.choices),
                    sdtm="DI.DIVAL",
                ),
                Column(name="MODEL", sql="nullif(d.product, '')", label=_("Model")),
                Column(name="LOT", sql="nullif(d.lot, '')", label=_("Lot or serial number")),
                Column(
                    name="DETERM",
                    sql="d.description",
                    label=_("What was deficient"),
                    sdtm="DE.DETERM",
                ),
                Column(
                    name="DEDTC",
                    sql="d.occurred_on",
                    label=_("Occurred on"),
                    kind=Kind.PARTIAL_DATE,
                    sdtm="DE.DEDTC",
                ),
                Column(name="PHASE", sql="d.phase", label=_("Phase"), codes=dict(Phase.choices)),
                Column(
                    name="HARM", sql="d.harm", label=_("Somebody came to harm"), kind=Kind.BOOLEAN
                ),
                Column(
                    name="COULDSAE",
                    sql="d.could_have_led",
                    label=_("Could have led to a serious adverse event"),
                    kind=Kind.BOOLEAN,
                ),
                Column(
                    name="DEVICE",
                    sql="d.whereabouts",
                    label=_("The device now"),
                    codes=dict(Whereabouts.choices),
                    sdtm="DT.DTTERM",
                ),
                Column(
                    name="RETURNED",
                    sql="d.returned_on",
                    label=_("Returned on"),
                    kind=Kind.DATE,
                ),
                Column(name="ENTERED", sql="d.reported_at", label=_("Entered"), kind=Kind.MOMENT),
            ),
            source=f"{DEFICIENCIES} d JOIN {SITES} t ON t.id = d.site_id "
            f"LEFT JOIN {SUBJECTS} s ON s.id = d.subject_id "
            f"LEFT JOIN {SESSIONS} x ON x.record_id = d.session_id",
            where="d.voided_at IS NULL",
            site="d.site_id",
            order='t.code COLLATE "C", s.screening_number COLLATE "C", d.reported_at, d.id',
        )
    ]
