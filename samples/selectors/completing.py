"""What is still to be said of a collected tube, and what was not as the protocol has it.

Asked by what it is: the form of faeces and antibiotics, how urine was collected, whether
what must be kept cold came on ice, how blood was centrifuged.
"""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from samples.models import Specimen, SpecimenState
from trialsite.casebook.protocols import protocol_of
from trialsite.protocol.samples import SpecimenMatrix
from trialsite.protocol.values import Interval

#: Of these nothing is asked: not filled yet, or gone.
_NOT_ASKED = (
    SpecimenState.PREPARED,
    SpecimenState.DISCARDED,
    SpecimenState.DESTROYED,
    SpecimenState.LOST,
)


def to_complete(specimen: Specimen) -> list[str]:
    """What nobody has said of a collected tube, by the names of its items."""
    if specimen.voided_at is not None or specimen.state in _NOT_ASKED:
        return []
    asked: list[tuple[str, bool]] = []
    if specimen.matrix == SpecimenMatrix.FAECES:
        asked = [
            ("bristol", specimen.bristol is None),
            ("antibiotics", specimen.antibiotics is None),
        ]
    elif specimen.matrix == SpecimenMatrix.URINE:
        asked = [("urine_method", not specimen.urine_method)]
    elif specimen.matrix == SpecimenMatrix.BLOOD:
        asked = [("on_ice", specimen.definition.on_ice and specimen.on_ice is None)]
        spun = specimen.centrifuged_at is not None
        names = ("centrifuge_g", "centrifuge_minutes")
        asked += [(name, spun and getattr(specimen, name) is None) for name in names]
    return [_name(name) for name, is_open in asked if is_open]


def outside_protocol(specimen: Specimen) -> list[str]:
    """What was said of a tube and is not as the protocol has it, with the protocol's limits."""
    if specimen.voided_at is not None or specimen.state in _NOT_ASKED:
        return []
    plan = protocol_of(specimen.visit.protocol_version_id).samples
    assert plan is not None
    found = []
    if specimen.definition.on_ice and specimen.on_ice is False:
        found.append(_("Not brought on ice"))
    limits = (
        ("centrifuge_g", plan.centrifuge_g),
        ("centrifuge_minutes", plan.centrifuge_minutes),
    )
    for name, limit in limits:
        value = getattr(specimen, name)
        if limit is not None and value is not None and Decimal(value) not in limit:
            said = _("%(item)s: %(value)s (protocol: %(limit)s)")
            found.append(said % {"item": _name(name), "value": value, "limit": _text(limit)})
    return found


def _name(item: str) -> str:
    return str(Specimen._meta.get_field(item).verbose_name)  # type: ignore[union-attr]


def _text(limit: Interval) -> str:
    low = "" if limit.low is None else f"{limit.low:f}"
    high = "" if limit.high is None else f"{limit.high:f}"
    return f"{low}–{high}"
