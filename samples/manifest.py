"""The manifest of a shipment, as PDF in both languages and as CSV. Codes, and no names.

It says what was packed: once the parcel has left it is the same to the byte each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from samples.labels import symbol
from samples.models import Aliquot, Cooling, Shipment, ShipmentLine
from samples.selectors.shipping import plan_at
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.core.pdf import About, pdf
from trialsite.exports.python_rows import csv_lines
from trialsite.exports.registry import Column, Kind
from trialsite.protocol.text import Text

TEMPLATE = Path(__file__).with_name("manifest.typ")
_BOTH = ("en", "zh-hans")

COLUMNS = (
    Column(name="SHIPMENT", label=_("Shipment")),
    Column(name="LINE", label=_("Line"), kind=Kind.INTEGER),
    Column(name="CODE", label=_("Code")),
    Column(name="SPECIMEN", label=_("Specimen")),
    Column(name="TUBE", label=_("Tube type (SPREC)")),
    Column(name="VOLUME", label=_("Volume"), kind=Kind.FLOAT),
    Column(name="UNIT", label=_("Unit")),
    Column(name="COLLECTED", label=_("Collected at"), kind=Kind.DATETIME),
    Column(name="FROZEN", label=_("First frozen at"), kind=Kind.DATETIME),
    Column(name="THAWS", label=_("Thawed so often"), kind=Kind.INTEGER),
    Column(name="BOX", label=_("Box")),
    Column(name="POSITION", label=_("Position in the box")),
)


def listed_lines(lines: Sequence[ShipmentLine]) -> list[tuple[ShipmentLine, Aliquot]]:
    """What was packed and stayed in, in the order of packing."""
    return [(each, each.aliquot) for each in lines if each.aliquot and not each.unexpected]


def manifest_csv(shipment: Shipment, lines: Sequence[ShipmentLine]) -> bytes:
    """The manifest for a program; text that a spreadsheet would run is made harmless."""
    rows = [_row(shipment, line, aliquot) for line, aliquot in listed_lines(lines)]
    return b"".join(block for block, _count in csv_lines(COLUMNS, rows))


def _row(shipment: Shipment, line: ShipmentLine, aliquot: Aliquot) -> dict[str, Any]:
    specimen = aliquot.specimen
    box = line.box
    return {
        "SHIPMENT": shipment.code,
        "LINE": line.number,
        "CODE": line.code,
        "SPECIMEN": specimen.kind,
        "TUBE": specimen.tube_type or None,
        "VOLUME": aliquot.volume,
        "UNIT": specimen.amount_unit,
        "COLLECTED": specimen.collected_at,
        "FROZEN": aliquot.frozen_at,
        "THAWS": aliquot.thaws,
        "BOX": box.code if box else None,
        "POSITION": box.position_name(line.position) if box and line.position else None,
    }


def manifest_pdf(shipment: Shipment, lines: Sequence[ShipmentLine]) -> bytes:
    """The manifest that goes into the parcel, in English and Chinese."""
    packed = listed_lines(lines)
    protocol = protocol_of(version_in_force(shipment.site).pk)
    title = _both(_("Manifest of a shipment of samples"))
    data = {
        "title": title,
        "code": shipment.code,
        "study": f"{protocol.study.study_id} · {_both_of(protocol.study.short_name)}",
        "svg": symbol(shipment.code),
        "facts": _facts(shipment, len(packed)),
        "warning": "" if shipment.sent_at else _both(_("Not handed over yet: a draft")),
        "contents": _both(_("Contents")),
        "kinds_head": [_both(_("Specimen")), _both(_("Aliquots"))],
        "kinds": _kinds(shipment, packed),
        "list": _both(_("Aliquots")),
        "head": [_both(each) for each in _HEAD],
        "rows": [_cells(line, aliquot) for line, aliquot in packed],
        "handed": _both(_("Handed over and received")),
        "signing": [[_both(each), ""] for each in _SIGNING],
    }
    about = About(
        title=f"{title} {shipment.code}",
        head=shipment.code,
        foot=_both(_("Human material. Codes only: no name leaves the site.")),
        watermark="" if shipment.sent_at else _both(_("DRAFT")),
        language="en",
    )
    return pdf(TEMPLATE, data, about=about, at=shipment.opened_at)


_HEAD = (
    _("Line"),
    _("Code"),
    _("Specimen"),
    _("Volume"),
    _("First frozen at"),
    _("Position in the box"),
    _("Received"),
)
_SIGNING = (
    _("Handed over by, date, signature"),
    _("Received by, date, signature"),
    _("Highest temperature of the logger, °C"),
    _("Discrepancies"),
)


def _both(text: str | Promise) -> str:
    """The words in English and in Chinese, once where they are the same."""
    found = []
    for language in _BOTH:
        with translation.override(language):
            found.append(str(text))
    return " / ".join(dict.fromkeys(found))


def _both_of(text: Text) -> str:
    return " / ".join(dict.fromkeys(text.in_language(each) for each in _BOTH))


def _facts(shipment: Shipment, count: int) -> list[list[str]]:
    cooling, site = Cooling(shipment.cooling).label, shipment.site
    permission = shipment.permission
    facts: list[tuple[str | Promise, str]] = [
        (
            _("Sent from"),
            f"{site.code} {site.name}" + (f" / {site.name_zh}" if site.name_zh else ""),
        ),
        (_("Destination"), shipment.destination),
        (_("Address"), shipment.address.replace("\r\n", "\n")),
        (_("Purpose"), shipment.purpose),
        (_("Export permission"), permission.number if permission else ""),
        (_("Carrier"), shipment.carrier),
        (_("Tracking number"), shipment.tracking),
        (_("Kept cold by"), _both(cooling)),
        (_("Dry ice, kg"), str(shipment.dry_ice or "")),
        (_("Temperature logger"), shipment.logger),
        (_("Packages"), str(shipment.packages or "")),
        (_("Aliquots"), str(count)),
        (_("Planned for"), shipment.planned_on.isoformat() if shipment.planned_on else ""),
        (
            _("Handed over at"),
            f"{shipment.sent_at:%Y-%m-%d %H:%M} {shipment.time_zone}" if shipment.sent_at else "",
        ),
    ]
    return [[_both(name), value] for name, value in facts if value]


def _kinds(shipment: Shipment, packed: Sequence[tuple[ShipmentLine, Aliquot]]) -> list[list[str]]:
    counted = Counter(aliquot.specimen.kind for _line, aliquot in packed)
    names = {each.key: _both_of(each.name) for each in plan_at(shipment.site).specimens}
    return [[names.get(kind, kind), str(count)] for kind, count in sorted(counted.items())]


def _cells(line: ShipmentLine, aliquot: Aliquot) -> list[str]:
    volume, frozen = aliquot.volume, aliquot.frozen_at
    return [
        str(line.number),
        line.code,
        _both_of(aliquot.specimen.definition.name),
        f"{volume.normalize():f} {aliquot.specimen.amount_unit}" if volume is not None else "",
        f"{frozen:%Y-%m-%d %H:%M}" if frozen else "",
        line.place_name,
        "",
    ]
