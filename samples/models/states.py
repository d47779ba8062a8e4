"""The states of samples, what can happen to them, and which state follows from what.

PostgreSQL's guard of the custody log is written from these very tables (`samples.guards`).
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class SpecimenState(models.TextChoices):
    """Where a collected tube or container stands."""

    PREPARED = "prepared", _("Labelled, not collected")
    COLLECTED = "collected", _("Collected")
    RECEIVED = "received", _("Received at the laboratory")
    PROCESSED = "processed", _("Centrifuged")
    ALIQUOTED = "aliquoted", _("Aliquoted")
    DISCARDED = "discarded", pgettext_lazy("sample", "Discarded")
    DESTROYED = "destroyed", pgettext_lazy("sample", "Destroyed")
    LOST = "lost", pgettext_lazy("sample", "Lost")


class AliquotState(models.TextChoices):
    """Where an aliquot stands."""

    MADE = "made", _("Made, not frozen")
    STORED = "stored", _("In the freezer")
    HELD = "held", _("Frozen, out of its box")
    THAWED = "thawed", _("Thawed")
    PACKED = "packed", _("Packed")
    SHIPPED = "shipped", _("On the way")
    AWAY = "away", _("At its destination")
    USED = "used", _("Used up")
    DISCARDED = "discarded", pgettext_lazy("sample", "Discarded")
    DESTROYED = "destroyed", pgettext_lazy("sample", "Destroyed")
    LOST = "lost", pgettext_lazy("sample", "Lost")


class CustodyKind(models.TextChoices):
    """What happened to a sample (clinical C19; SDTM BE)."""

    COLLECTED = "collected", _("Collected")
    RECEIVED = "received", _("Received at the laboratory")
    PROCESSED = "processed", _("Centrifuged")
    ALIQUOTED = "aliquoted", _("Aliquoted")
    STORED = "stored", _("Frozen and stored")
    MOVED = "moved", _("Moved")
    THAWED = "thawed", _("Thawed")
    REFROZEN = "refrozen", _("Frozen again")
    PACKED = "packed", _("Packed")
    UNPACKED = "unpacked", _("Unpacked again")
    SHIPPED = "shipped", _("Shipped")
    ARRIVED = "arrived", _("Received")
    CONDITION = "condition", _("Condition noted")
    ANALYSED = "analysed", _("Analysed")
    USED_UP = "used_up", _("Used up")
    MEASURED = "measured", _("Volume put right")
    EXCURSION = "excursion", _("Temperature excursion")
    DISCARDED = "discarded", pgettext_lazy("sample", "Discarded")
    DESTROYED = "destroyed", pgettext_lazy("sample", "Destroyed")
    LOST = "lost", pgettext_lazy("sample", "Lost")
    FOUND = "found", _("Found again")
    CORRECTED = "corrected", _("Time corrected")


_S, _A, _K = SpecimenState, AliquotState, CustodyKind
_LIVE_SPECIMEN = (_S.COLLECTED, _S.RECEIVED, _S.PROCESSED)
_LIVE_ALIQUOT = (_A.MADE, _A.STORED, _A.HELD, _A.THAWED, _A.PACKED, _A.SHIPPED, _A.AWAY)
#: What can come out of a parcel: what was sent, and what was put in without a scan.
_CAN_ARRIVE = (_A.SHIPPED, _A.STORED, _A.HELD, _A.MADE, _A.THAWED)

#: (state, event) -> the state that follows. What is not here cannot happen.
SPECIMEN_STEPS: dict[tuple[str, str], str] = {
    (_S.PREPARED, _K.COLLECTED): _S.COLLECTED,
    (_S.COLLECTED, _K.RECEIVED): _S.RECEIVED,
    **{(each, _K.PROCESSED): _S.PROCESSED for each in (_S.COLLECTED, _S.RECEIVED)},
    **{(each, _K.ALIQUOTED): _S.ALIQUOTED for each in _LIVE_SPECIMEN},
    **{(each, _K.EXCURSION): each for each in _LIVE_SPECIMEN},
    **{(each, _K.DISCARDED): _S.DISCARDED for each in (*_LIVE_SPECIMEN, _S.LOST)},
    **{(each, _K.DESTROYED): _S.DESTROYED for each in (*_LIVE_SPECIMEN, _S.LOST)},
    **{(each, _K.LOST): _S.LOST for each in _LIVE_SPECIMEN},
    # Received or centrifuged before it was lost, it is so again.
    (_S.LOST, _K.FOUND): _S.COLLECTED,
}

ALIQUOT_STEPS: dict[tuple[str, str], str] = {
    **{(each, _K.STORED): _A.STORED for each in (_A.MADE, _A.HELD, _A.AWAY)},
    (_A.STORED, _K.MOVED): _A.STORED,
    **{(each, _K.THAWED): _A.THAWED for each in (_A.STORED, _A.HELD, _A.AWAY)},
    (_A.THAWED, _K.REFROZEN): _A.STORED,
    (_A.THAWED, _K.ANALYSED): _A.THAWED,
    (_A.MADE, _K.ANALYSED): _A.MADE,
    (_A.AWAY, _K.ANALYSED): _A.AWAY,
    **{(each, _K.USED_UP): _A.USED for each in (*_LIVE_ALIQUOT, _A.LOST)},
    # How much there is was entered wrongly, or nobody knows it.
    **{(each, _K.MEASURED): each for each in _LIVE_ALIQUOT},
    **{(each, _K.PACKED): _A.PACKED for each in (_A.STORED, _A.HELD, _A.AWAY)},
    (_A.PACKED, _K.UNPACKED): _A.HELD,
    (_A.PACKED, _K.SHIPPED): _A.SHIPPED,
    **{(each, _K.ARRIVED): _A.AWAY for each in _CAN_ARRIVE},
    # Said of a receipt afterwards: in which condition it had come.
    **{(each, _K.CONDITION): each for each in (_A.AWAY, _A.THAWED)},
    **{(each, _K.EXCURSION): each for each in _LIVE_ALIQUOT},
    **{(each, _K.DISCARDED): _A.DISCARDED for each in (*_LIVE_ALIQUOT, _A.LOST)},
    **{(each, _K.DESTROYED): _A.DESTROYED for each in (*_LIVE_ALIQUOT, _A.LOST)},
    **{(each, _K.LOST): _A.LOST for each in _LIVE_ALIQUOT},
    # Frozen before it was lost; one never frozen is made again, one thawed is thawed.
    (_A.LOST, _K.FOUND): _A.HELD,
}

#: It is where its shipment is. What thawed on the way or there keeps its shipment as well.
IN_A_SHIPMENT = (_A.PACKED, _A.SHIPPED, _A.AWAY)
#: Nothing happens to these any more.
OVER = (_A.USED, _A.DISCARDED, _A.DESTROYED)
#: Samples that somebody still has in hand; the rest is accounted for.
LIVE_SPECIMENS = _LIVE_SPECIMEN
LIVE_ALIQUOTS = _LIVE_ALIQUOT
#: What must say why.
NEEDS_REASON = (
    _K.DISCARDED,
    _K.DESTROYED,
    _K.USED_UP,
    _K.MEASURED,
    _K.LOST,
    _K.FOUND,
    _K.EXCURSION,
    _K.CONDITION,
    _K.CORRECTED,
)
#: What is not done any more once the consent for samples is withdrawn. That something has
#: thawed on its way or in a broken freezer is a fact: it is entered.
NEEDS_CONSENT = (
    _K.COLLECTED,
    _K.PROCESSED,
    _K.ALIQUOTED,
    _K.ANALYSED,
    _K.USED_UP,
    _K.PACKED,
    _K.SHIPPED,
)
#: What names the shipment, of which the manifest has a line.
OF_A_SHIPMENT = (_K.PACKED, _K.UNPACKED, _K.SHIPPED, _K.ARRIVED, _K.CONDITION)
