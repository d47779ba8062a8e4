"""Samples destroyed after a withdrawal, many at once, or explained one by one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from zoneinfo import ZoneInfo

from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from samples.models import (
    CustodyKind,
    Destruction,
    DestructionLine,
)
from samples.services.log import Happening, enter, held_aliquots, held_specimen
from samples.services.withdrawals import held_list
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.violations import ImpossibleError


class Explanation(models.TextChoices):
    """Why a listed sample is not destroyed by the site itself."""

    USED = "used", gettext_lazy("Used up before")
    LOST = "lost", gettext_lazy("Lost: searched for and not found")
    DISCARDED = "discarded", gettext_lazy("Discarded before")
    RECIPIENT = "recipient", gettext_lazy("The recipient has destroyed it, and confirmed so")


def explanations_of(line: DestructionLine) -> list[Explanation]:
    """What can be said of a line: a recipient destroys only what has left the site."""
    if not line.is_here:
        return list(Explanation)
    said = [each for each in Explanation if each is not Explanation.RECIPIENT]
    return said if line.aliquot else [each for each in said if each is not Explanation.USED]


_EVENTS = {
    Explanation.USED: CustodyKind.USED_UP,
    Explanation.LOST: CustodyKind.LOST,
    Explanation.DISCARDED: CustodyKind.DISCARDED,
    Explanation.RECIPIENT: CustodyKind.DESTROYED,
}


@transaction.atomic
def destroy_listed(
    *,
    destruction: Destruction,
    lines: Collection[DestructionLine],
    how: str,
    witness: User | None,
    by: User,
    at: dt.datetime | None = None,
) -> int:
    """These samples of a list were destroyed, before a witness; how many they are.

    What has come to its end meanwhile is passed over. One on its way cannot be destroyed here.
    """
    by.require(Capability.HANDLE_SAMPLES, site=destruction.site_id)
    destruction = held_list(destruction)
    _demand(how=how)
    if witness is None or witness.pk == by.pk:
        raise ImpossibleError({"witness": [_("Destroying is witnessed by a second person.")]})
    waiting = [each for each in _current(destruction, lines) if not each.is_settled]
    if not waiting:
        raise ImpossibleError({"lines": [_("Choose what was destroyed.")]})
    away = [each.code for each in waiting if not each.is_here]
    if away:
        raise ImpossibleError(
            {"lines": [_("Not here: %(codes)s.") % {"codes": ", ".join(away[:5])}]}
        )
    said = Happening(at=at, reason=_reason(how), witness=witness)
    for line in waiting:
        if line.aliquot is None:
            enter(held_specimen(line.specimen), CustodyKind.DESTROYED, by, said)
    for aliquot in held_aliquots([each.aliquot for each in waiting if each.aliquot]):
        enter(aliquot, CustodyKind.DESTROYED, by, said)
    return len(waiting)


@transaction.atomic
def explain_line(
    *,
    line: DestructionLine,
    why: str,
    explanation: str,
    by: User,
    confirmed_by: str = "",
    at: dt.datetime | None = None,
) -> DestructionLine:
    """Say what became of a listed sample that the site does not destroy itself.

    A recipient's confirmation names who confirmed; each explanation ends the sample's custody.
    """
    by.require(Capability.HANDLE_SAMPLES, site=line.site_id)
    destruction = held_list(line.destruction)
    (line,) = _current(destruction, [line])
    if line.is_settled:
        raise TransitionError(_("What became of it is entered already."))
    if why not in Explanation.values:
        raise ImpossibleError({"why": [_("Choose what became of it.")]})
    _demand(explanation=explanation)
    recipient = why == Explanation.RECIPIENT
    if recipient and not confirmed_by.strip():
        raise ImpossibleError({"confirmed_by": [_("Say who confirmed it.")]})
    if line.aliquot is None and why in {Explanation.USED, Explanation.RECIPIENT}:
        raise DomainError(_("A tube that was not divided is destroyed, discarded or lost."))
    if recipient and line.is_here:
        raise TransitionError(
            _("It is at the site: destroy it before a witness, or say what became of it.")
        )
    if why in {Explanation.USED, Explanation.DISCARDED}:
        _demand_before(destruction, at)
    said = Happening(
        at=at,
        reason=explanation,
        place=confirmed_by if recipient else "",
    )
    sample = held_aliquots([line.aliquot])[0] if line.aliquot else held_specimen(line.specimen)
    enter(sample, _EVENTS[Explanation(why)], by, said)
    return _current(destruction, [line])[0]


def _current(destruction: Destruction, lines: Collection[DestructionLine]) -> list[DestructionLine]:
    rows = destruction.lines.filter(pk__in=[each.pk for each in lines])
    return list(rows.select_related("specimen__site", "aliquot__site", "destruction"))


def _reason(how: str) -> str:
    return _("Consent for samples withdrawn. %(how)s") % {"how": how.strip()}


def _demand_before(destruction: Destruction, at: dt.datetime | None) -> None:
    """What ended before the withdrawal has a time before it; later is no explanation."""
    zone = ZoneInfo(destruction.site.time_zone)
    if at is None or at.replace(tzinfo=zone) >= destruction.withdrawn_at:
        said = _("Say when it was: a time before the withdrawal. Later it is destroyed.")
        raise ImpossibleError({"happened_at": [said]})


def _demand(**texts: str) -> None:
    empty = {name: [_("This is asked for.")] for name, text in texts.items() if not text.strip()}
    if empty:
        raise ImpossibleError(empty)
