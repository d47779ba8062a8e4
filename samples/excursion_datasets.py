"""Temperature excursions of freezers as a dataset: each aliquot that was inside."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from samples.datasets import (
    ALIQUOTS,
    BOXES,
    SITES,
    SPECIMENS,
    SUBJECTS,
    WARM,
    WARM_LINES,
)
from samples.models import Freezer, Rack
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

FREEZERS, RACKS = (model._meta.db_table for model in (Freezer, Rack))


@register_datasets
def storage_excursions() -> list[Dataset]:
    return [
        Dataset(
            name="samples_excursions",
            title=_("Temperature excursions of stored samples"),
            columns=(
                Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
                Column(name="SUBJID", sql="u.number", label=_("Subject number"), sdtm="DM.SUBJID"),
                Column(name="SCRNID", sql="u.screening_number", label=_("Screening number")),
                Column(name="BSREFID", sql="a.code", label=_("Code"), sdtm="BS.BSREFID"),
                Column(name="SPECTYP", sql="s.kind", label=_("Specimen"), sdtm="BS.BSSPEC"),
                Column(name="FREEZER", sql="coalesce(f.name, rf.name)", label=_("Freezer")),
                Column(name="RACK", sql="r.name", label=_("Rack")),
                Column(name="BOX", sql="b.code", label=_("Box")),
                Column(
                    name="LOC",
                    sql='l."position"',
                    label=_("Position in the box"),
                    kind=Kind.INTEGER,
                ),
                Column(
                    name="WARMFROM", sql="e.began_at", label=_("Too warm from"), kind=Kind.DATETIME
                ),
                Column(
                    name="WARMTO", sql="e.ended_at", label=_("Too warm until"), kind=Kind.DATETIME
                ),
                Column(name="WARMTZ", sql="e.time_zone", label=_("Time zone")),
                Column(
                    name="WARMMAX",
                    sql="e.celsius",
                    label=_("Highest temperature, °C"),
                    kind=Kind.FLOAT,
                    unit="Cel",
                ),
                Column(name="WHAT", sql="e.what", label=_("What happened")),
                Column(name="VOIDED", sql="e.voided_at", label=_("Voided"), kind=Kind.MOMENT),
                Column(
                    name="VOIDWHY",
                    sql="nullif(e.void_reason, '')",
                    label=_("Reason for voiding"),
                ),
            ),
            source=f"{WARM_LINES} l JOIN {WARM} e ON e.id = l.excursion_id "
            f"JOIN {ALIQUOTS} a ON a.id = l.aliquot_id "
            f"JOIN {SPECIMENS} s ON s.id = a.specimen_id "
            f"JOIN {SITES} t ON t.id = l.site_id JOIN {SUBJECTS} u ON u.id = l.subject_id "
            f"JOIN {BOXES} b ON b.id = l.box_id "
            f"LEFT JOIN {FREEZERS} f ON f.id = e.freezer_id "
            f"LEFT JOIN {RACKS} r ON r.id = e.rack_id "
            f"LEFT JOIN {FREEZERS} rf ON rf.id = r.freezer_id",
            site="l.site_id",
            order='t.code COLLATE "C", u.screening_number COLLATE "C", e.began_at, '
            'a.code COLLATE "C", l.id',
        )
    ]
