"""Samples as datasets: what happened to each (SDTM BE), what each is (BS), parent and child
(RELSPEC)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from samples.models import (
    Aliquot,
    AliquotState,
    Box,
    CustodyEvent,
    CustodyKind,
    Destruction,
    DestructionLine,
    ExcursionLine,
    NotCollected,
    Outcome,
    Shipment,
    Specimen,
    SpecimenState,
    StorageExcursion,
    WhyNot,
)
from trialsite.access.models import Site
from trialsite.casebook.models import Subject, Visit
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

SPECIMENS, ALIQUOTS, EVENTS, NOT_DONE, BOXES, SHIPMENTS, SITES, SUBJECTS, VISITS = (
    model._meta.db_table
    for model in (
        Specimen,
        Aliquot,
        CustodyEvent,
        NotCollected,
        Box,
        Shipment,
        Site,
        Subject,
        Visit,
    )
)
DESTRUCTIONS, DESTRUCTION_LINES = (model._meta.db_table for model in (Destruction, DestructionLine))
WARM, WARM_LINES = (model._meta.db_table for model in (StorageExcursion, ExcursionLine))
_WHO = (
    Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
    Column(name="SUBJID", sql="u.number", label=_("Subject number"), sdtm="DM.SUBJID"),
    Column(name="SCRNID", sql="u.screening_number", label=_("Screening number")),
    Column(name="VISIT", sql="v.event_oid", label=_("Study event")),
    Column(name="VISITREP", sql="v.repeat_key", label=_("Visit, occurrence"), kind=Kind.INTEGER),
)
_FROM = (
    f"JOIN {SITES} t ON t.id = s.site_id JOIN {SUBJECTS} u ON u.id = s.subject_id "
    f"JOIN {VISITS} v ON v.id = s.visit_id"
)
#: Of the excursions that stand; another site's name only how warm it was in the custody log.
_WARM = (
    f"(SELECT {{what}} FROM {WARM_LINES} wl JOIN {WARM} we ON we.id = wl.excursion_id "
    "WHERE wl.aliquot_id = a.id AND we.voided_at IS NULL)"
)
_ORDER = 't.code COLLATE "C", u.screening_number COLLATE "C"'


def _events() -> Dataset:
    return Dataset(
        name="be",
        title=_("Custody of samples"),
        columns=(
            *_WHO,
            Column(
                name="BEREFID",
                sql="coalesce(a.code, s.code)",
                label=_("Code"),
                sdtm="BE.BEREFID",
            ),
            Column(name="BESPEC", sql="s.kind", label=_("Specimen"), sdtm="BE.BESPEC"),
            Column(name="BESEQ", sql="e.number", label=_("Number"), kind=Kind.INTEGER),
            Column(
                name="BETERM",
                sql="e.kind",
                label=_("Event"),
                codes=dict(CustodyKind.choices),
                sdtm="BE.BETERM",
            ),
            Column(
                name="BEDTC",
                sql="e.happened_at",
                label=_("Observed"),
                kind=Kind.DATETIME,
                sdtm="BE.BEDTC",
            ),
            Column(name="BETZ", sql="e.time_zone", label=_("Time zone")),
            Column(
                name="CORRECTS",
                sql=f"(SELECT c.number FROM {EVENTS} c WHERE c.id = e.corrects_id)",
                label=_("Corrects the event"),
                kind=Kind.INTEGER,
            ),
            Column(name="BOX", sql="b.code", label=_("Box")),
            Column(
                name="POSITION",
                sql='e."position"',
                label=_("Position in the box"),
                kind=Kind.INTEGER,
            ),
            Column(name="SHIPMENT", sql="h.code", label=_("Shipment"), sdtm="BE.BEGRPID"),
            Column(name="PLACE", sql="nullif(e.place, '')", label=_("Location")),
            Column(name="AMOUNT", sql="e.amount", label=_("Amount"), kind=Kind.FLOAT),
            Column(name="CELSIUS", sql="e.celsius", label=_("Temperature, °C"), kind=Kind.FLOAT),
            Column(name="REASON", sql="nullif(e.reason, '')", label=_("Reason")),
            Column(name="ENTERED", sql="e.entered_at", label=_("Entered"), kind=Kind.MOMENT),
        ),
        source=f"{EVENTS} e JOIN {SPECIMENS} s ON s.id = e.specimen_id {_FROM} "
        f"LEFT JOIN {ALIQUOTS} a ON a.id = e.aliquot_id LEFT JOIN {BOXES} b ON b.id = e.box_id "
        f"LEFT JOIN {SHIPMENTS} h ON h.id = e.shipment_id",
        where="s.voided_at IS NULL",
        site="s.site_id",
        order=f'{_ORDER}, s.code COLLATE "C", a.code COLLATE "C" NULLS FIRST, e.number',
    )


def _specimens() -> Dataset:
    return Dataset(
        name="specimens",
        title=_("Specimens"),
        columns=(
            *_WHO,
            Column(name="BEREFID", sql="s.code", label=_("Code"), sdtm="BE.BEREFID"),
            Column(name="SPECTYP", sql="s.kind", label=_("Specimen"), sdtm="BE.BESPEC"),
            Column(name="MATRIX", sql="s.matrix", label=_("Material")),
            Column(name="TUBE", sql="nullif(s.tube_type, '')", label=_("Tube type (SPREC)")),
            Column(
                name="STATE", sql="s.state", label=_("State"), codes=dict(SpecimenState.choices)
            ),
            *(
                Column(name=name, sql=f"s.{column}", label=label, kind=Kind.DATETIME)
                for name, column, label in (
                    ("COLDTM", "collected_at", _("Collected at")),
                    ("RECDTM", "received_at", _("Received at the laboratory")),
                    ("CENTDTM", "centrifuged_at", _("Centrifuged at")),
                    ("ALIQDTM", "aliquoted_at", _("Aliquoted at")),
                )
            ),
            Column(name="AMOUNT", sql="s.amount", label=_("Amount"), kind=Kind.FLOAT),
            Column(name="AMOUNTU", sql="s.amount_unit", label=_("Unit")),
            Column(name="DRAWSITE", sql="nullif(s.draw_site, '')", label=_("Drawn from")),
            Column(name="FASTING", sql="s.fasting", label=_("Fasting"), kind=Kind.BOOLEAN),
            Column(name="ONICE", sql="s.on_ice", label=_("Brought on ice"), kind=Kind.BOOLEAN),
            Column(
                name="BRISTOL", sql="s.bristol", label=_("Bristol stool form"), kind=Kind.INTEGER
            ),
            Column(
                name="STBLOOD", sql="s.blood_seen", label=_("Blood in the stool"), kind=Kind.BOOLEAN
            ),
            Column(
                name="LAXAT",
                sql="s.laxatives",
                label=_("Laxatives within 7 days"),
                kind=Kind.BOOLEAN,
            ),
            Column(
                name="ANTIB",
                sql="s.antibiotics",
                label=_("Antibiotics within 7 days"),
                kind=Kind.BOOLEAN,
            ),
            Column(
                name="URINEHOW",
                sql="nullif(s.urine_method, '')",
                label=_("How urine was collected"),
            ),
            Column(name="CENTG", sql="s.centrifuge_g", label=_("Centrifuge, g"), kind=Kind.INTEGER),
            Column(
                name="CENTMIN",
                sql="s.centrifuge_minutes",
                label=_("Centrifuge, minutes"),
                kind=Kind.INTEGER,
            ),
            Column(
                name="CENTC",
                sql="s.centrifuge_celsius",
                label=_("Centrifuge, °C"),
                kind=Kind.INTEGER,
            ),
            Column(
                name="CENTBRK",
                sql="s.centrifuge_brake",
                label=_("Centrifuge with brake"),
                kind=Kind.BOOLEAN,
            ),
            Column(
                name="KEPTCOOL",
                sql="s.kept_cool",
                label=_("At 2 to 10 °C until frozen"),
                kind=Kind.BOOLEAN,
            ),
            Column(name="EXTRA", sql="nullif(s.extra_reason, '')", label=_("Why beyond the plan")),
        ),
        source=f"{SPECIMENS} s {_FROM}",
        where="s.voided_at IS NULL",
        site="s.site_id",
        order=f'{_ORDER}, s.code COLLATE "C"',
    )


def _aliquots() -> Dataset:
    return Dataset(
        name="bs",
        title=_("Aliquots"),
        columns=(
            *_WHO,
            Column(name="BSREFID", sql="a.code", label=_("Code"), sdtm="RELSPEC.REFID"),
            Column(name="PARENT", sql="s.code", label=_("Parent"), sdtm="RELSPEC.PARENT"),
            Column(name="ALIQ", sql="a.number", label=_("Aliquot"), kind=Kind.INTEGER),
            Column(name="SPECTYP", sql="s.kind", label=_("Specimen"), sdtm="BS.BSSPEC"),
            Column(name="STATE", sql="a.state", label=_("State"), codes=dict(AliquotState.choices)),
            Column(name="VOLUME", sql="a.volume", label=_("Volume"), kind=Kind.FLOAT),
            Column(name="VOLUMEU", sql="s.amount_unit", label=_("Unit")),
            Column(
                name="FRZDTM", sql="a.frozen_at", label=_("First frozen at"), kind=Kind.DATETIME
            ),
            Column(
                name="FRZMIN",
                sql="floor(extract(epoch FROM (a.frozen_at AT TIME ZONE a.time_zone) - "
                "(s.collected_at AT TIME ZONE s.time_zone)) / 60)::integer",
                label=_("Collection to freezer"),
                kind=Kind.INTEGER,
                unit="min",
            ),
            Column(
                name="FRZMAX",
                sql="s.freeze_within",
                label=_("In the freezer within, minutes"),
                kind=Kind.INTEGER,
                unit="min",
            ),
            Column(name="FTCNT", sql="a.thaws", label=_("Thawed so often"), kind=Kind.INTEGER),
            Column(
                name="WARMN",
                sql=_WARM.format(what="count(*)::integer"),
                label=_("Kept too warm so often"),
                kind=Kind.INTEGER,
            ),
            Column(
                name="WARMMAX",
                sql=_WARM.format(what="max(we.celsius)"),
                label=_("Highest temperature, °C"),
                kind=Kind.FLOAT,
            ),
            Column(name="BOX", sql="b.code", label=_("Box")),
            Column(
                name="LOC", sql='a."position"', label=_("Position in the box"), kind=Kind.INTEGER
            ),
            Column(name="SHIPMENT", sql="h.code", label=_("Shipment")),
        ),
        source=f"{ALIQUOTS} a JOIN {SPECIMENS} s ON s.id = a.specimen_id {_FROM} "
        f"LEFT JOIN {BOXES} b ON b.id = a.box_id LEFT JOIN {SHIPMENTS} h ON h.id = a.shipment_id",
        where="s.voided_at IS NULL",
        site="s.site_id",
        order=f'{_ORDER}, a.code COLLATE "C"',
    )


def _not_collected() -> Dataset:
    return Dataset(
        name="samples_not_collected",
        title=_("Samples not collected"),
        columns=(
            *_WHO,
            Column(name="SPECTYP", sql="s.kind", label=_("Specimen"), sdtm="BE.BESPEC"),
            Column(
                name="REASON",
                sql="s.reason",
                label=_("Why not collected"),
                codes=dict(WhyNot.choices),
            ),
            Column(name="COMMENT", sql="nullif(s.comment, '')", label=_("Comments")),
            Column(name="ENTERED", sql="s.stated_at", label=_("Entered"), kind=Kind.MOMENT),
        ),
        source=f"{NOT_DONE} s {_FROM}",
        where="s.voided_at IS NULL",
        site="s.site_id",
        order=f"{_ORDER}, v.visit_number, s.kind, s.id",
    )


def _destruction() -> Dataset:
    return Dataset(
        name="samples_destruction",
        title=_("Samples to be destroyed after a withdrawal"),
        columns=(
            *_WHO,
            Column(name="BEREFID", sql="coalesce(a.code, s.code)", label=_("Code")),
            Column(name="SPECTYP", sql="s.kind", label=_("Specimen"), sdtm="BE.BESPEC"),
            Column(
                name="WITHDRAWN",
                sql="d.withdrawn_at",
                label=_("Consent withdrawn"),
                kind=Kind.MOMENT,
            ),
            Column(
                name="OUTCOME",
                sql="nullif(l.outcome, '')",
                label=_("What became of it"),
                codes=dict(Outcome.choices),
            ),
            Column(name="OUTDTM", sql="e.happened_at", label=_("Observed"), kind=Kind.DATETIME),
            Column(name="REASON", sql="nullif(e.reason, '')", label=_("Reason")),
            Column(name="CONFIRM", sql="nullif(e.place, '')", label=_("Confirmed by")),
            Column(name="CLOSED", sql="d.closed_at", label=_("List closed"), kind=Kind.MOMENT),
            Column(
                name="LIFTED",
                sql="d.lifted_at",
                label=_("No longer to be destroyed"),
                kind=Kind.MOMENT,
            ),
        ),
        source=f"{DESTRUCTION_LINES} l JOIN {DESTRUCTIONS} d ON d.id = l.destruction_id "
        f"JOIN {SPECIMENS} s ON s.id = l.specimen_id {_FROM} "
        f"LEFT JOIN {ALIQUOTS} a ON a.id = l.aliquot_id LEFT JOIN {EVENTS} e ON e.id = l.event_id",
        where="s.voided_at IS NULL",
        site="s.site_id",
        order=f'{_ORDER}, d.opened_at, s.code COLLATE "C", a.code COLLATE "C" NULLS FIRST, l.id',
    )


@register_datasets
def samples() -> list[Dataset]:
    return [_events(), _specimens(), _aliquots(), _not_collected(), _destruction()]
