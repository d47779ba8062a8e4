"""What a scanned or typed code names: a specimen, an aliquot, a box, a shipment."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from samples.models import Aliquot, Box, Shipment, Specimen
from trialsite.access.models import User
from trialsite.core.ids import is_valid

Named = Specimen | Aliquot | Box | Shipment


def read_code(text: str) -> str:
    """The code as it is printed: scanners and Chinese keyboards send it in other widths."""
    plain = unicodedata.normalize("NFKC", text).strip().upper()
    return "".join(plain.split()).replace("—", "-").replace("–", "-").replace("−", "-")[:40]


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was read, and what it names for this person; None: nothing they may see."""

    text: str
    named: Named | None = None

    @property
    def is_whole(self) -> bool:
        """Whether its check character fits."""
        return is_valid(self.text)


def find(text: str, user: User) -> Code:
    """What a code names among the rows of the person's sites; the first letter tells where."""
    code = read_code(text)
    found: Named | None = None
    if code.startswith("S"):
        found = _specimen(code, user) if code.count("-") == 2 else _aliquot(code, user)
    elif code.startswith("B"):
        boxes = Box.objects.visible_to(user)
        found = boxes.select_related("site", "rack__freezer").filter(code=code).first()
    elif code.startswith("T"):
        found = Shipment.objects.visible_to(user).select_related("site").filter(code=code).first()
    return Code(code, found)


def _specimen(code: str, user: User) -> Specimen | None:
    rows = Specimen.objects.visible_to(user).filter(code=code)
    return rows.select_related("site", "subject__site", "visit", "session").first()


def _aliquot(code: str, user: User) -> Aliquot | None:
    rows = Aliquot.objects.visible_to(user).filter(code=code)
    return rows.select_related(
        "site",
        "box__rack__freezer",
        "shipment",
        "specimen__subject__site",
        "specimen__visit",
        "specimen__site",
    ).first()


def parent_of(code: str, user: User) -> Specimen | None:
    """The specimen of an aliquot's code that names no aliquot yet."""
    parts = code.split("-")
    if len(parts) != 4:
        return None
    stem = f"{parts[0]}-{parts[1]}-"
    rows = Specimen.objects.visible_to(user).filter(code__startswith=stem)
    return rows.select_related("site", "subject").first()
