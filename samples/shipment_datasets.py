"""Shipments as datasets: each parcel, and each line of its manifest with what came of it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from samples.datasets import ALIQUOTS, BOXES, SHIPMENTS, SITES, SPECIMENS, SUBJECTS
from samples.models import (
    Condition,
    Cooling,
    ExportPermission,
    LineState,
    ShipmentLine,
    ShipmentState,
)
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

LINES, PERMISSIONS = (model._meta.db_table for model in (ShipmentLine, ExportPermission))
_SHIPMENT = (
    Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
    Column(name="SHIPMENT", sql="h.code", label=_("Shipment"), sdtm="BE.BEGRPID"),
)


def _parcels() -> Dataset:
    return Dataset(
        name="shipments",
        title=_("Shipments of samples"),
        columns=(
            *_SHIPMENT,
            Column(
                name="STATE", sql="h.state", label=_("State"), codes=dict(ShipmentState.choices)
            ),
            Column(name="SHIPTO", sql="h.destination", label=_("Destination")),
            Column(name="PURPOSE", sql="h.purpose", label=_("Purpose")),
            Column(name="ABROAD", sql="h.abroad", label=_("Leaves the country"), kind=Kind.BOOLEAN),
            Column(
                name="GENETIC", sql="h.genetic", label=_("For genetic analysis"), kind=Kind.BOOLEAN
            ),
            Column(
                name="LATER", sql="h.future_use", label=_("For later research"), kind=Kind.BOOLEAN
            ),
            Column(
                name="PERMNEED",
                sql="h.needs_permission",
                label=_("Needs an export permission"),
                kind=Kind.BOOLEAN,
            ),
            Column(name="PERMIT", sql="p.number", label=_("Number of the export permission")),
            Column(
                name="COOLING",
                sql="h.cooling",
                label=_("Kept cold by"),
                codes=dict(Cooling.choices),
            ),
            Column(name="DRYICE", sql="h.dry_ice", label=_("Dry ice, kg"), kind=Kind.FLOAT),
            Column(name="PACKAGES", sql="h.packages", label=_("Packages"), kind=Kind.INTEGER),
            Column(name="CARRIER", sql="nullif(h.carrier, '')", label=_("Carrier")),
            Column(name="TRACKING", sql="nullif(h.tracking, '')", label=_("Tracking number")),
            Column(name="LOGGER", sql="nullif(h.logger, '')", label=_("Temperature logger")),
            Column(
                name="LOGMAX",
                sql="h.logger_celsius",
                label=_("Highest temperature of the logger, °C"),
                kind=Kind.FLOAT,
            ),
            Column(name="SENTDTM", sql="h.sent_at", label=_("Handed over at"), kind=Kind.DATETIME),
            Column(name="DUEDT", sql="h.due_on", label=_("Expected there by"), kind=Kind.DATE),
            Column(name="RECDTM", sql="h.received_at", label=_("Received at"), kind=Kind.DATETIME),
            Column(name="TZ", sql="h.time_zone", label=_("Time zone")),
            Column(
                name="CANCELED",
                sql="nullif(h.cancel_reason, '')",
                label=_("Why cancelled"),
            ),
        ),
        source=f"{SHIPMENTS} h JOIN {SITES} t ON t.id = h.site_id "
        f"LEFT JOIN {PERMISSIONS} p ON p.id = h.permission_id",
        site="h.site_id",
        order='t.code COLLATE "C", h.code COLLATE "C"',
    )


def _lines() -> Dataset:
    return Dataset(
        name="shipment_lines",
        title=_("Lines of shipments"),
        columns=(
            *_SHIPMENT,
            Column(name="LINE", sql="l.number", label=_("Line"), kind=Kind.INTEGER),
            Column(name="SUBJID", sql="u.number", label=_("Subject number"), sdtm="DM.SUBJID"),
            Column(name="SCRNID", sql="u.screening_number", label=_("Screening number")),
            Column(name="BEREFID", sql="l.code", label=_("Code"), sdtm="BE.BEREFID"),
            Column(name="SPECTYP", sql="s.kind", label=_("Specimen"), sdtm="BE.BESPEC"),
            Column(name="STATE", sql="l.state", label=_("State"), codes=dict(LineState.choices)),
            Column(
                name="UNEXPECT",
                sql="l.unexpected",
                label=_("Not on the manifest"),
                kind=Kind.BOOLEAN,
            ),
            Column(name="BOX", sql="b.code", label=_("Box")),
            Column(
                name="POSITION",
                sql='l."position"',
                label=_("Position in the box"),
                kind=Kind.INTEGER,
            ),
            Column(name="INBOX", sql="l.in_box", label=_("Sent in its box"), kind=Kind.BOOLEAN),
            Column(
                name="COND",
                sql="nullif(l.condition, '')",
                label=_("Condition on arrival"),
                codes=dict(Condition.choices),
            ),
            Column(name="RECDTM", sql="l.received_at", label=_("Received at"), kind=Kind.DATETIME),
            Column(name="EXPLAIN", sql="nullif(l.explanation, '')", label=_("Explanation")),
            Column(name="ENTERED", sql="l.added_at", label=_("Entered"), kind=Kind.MOMENT),
        ),
        source=f"{LINES} l JOIN {SHIPMENTS} h ON h.id = l.shipment_id "
        f"JOIN {SITES} t ON t.id = l.site_id LEFT JOIN {SUBJECTS} u ON u.id = l.subject_id "
        f"LEFT JOIN {ALIQUOTS} a ON a.id = l.aliquot_id "
        f"LEFT JOIN {SPECIMENS} s ON s.id = a.specimen_id LEFT JOIN {BOXES} b ON b.id = l.box_id",
        site="l.site_id",
        order='t.code COLLATE "C", h.code COLLATE "C", l.number',
    )


@register_datasets
def shipments() -> list[Dataset]:
    return [_parcels(), _lines()]
