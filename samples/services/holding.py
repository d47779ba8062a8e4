"""A specimen under its lock, and what may be done with it as it stands."""

from __future__ import annotations

from django.utils.translation import gettext as _

from samples.models import Specimen, SpecimenState
from samples.services.log import held_specimen, hold_participants
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.core.exceptions import TransitionError
from trialsite.crf.violations import ImpossibleError


def held_for(specimen: Specimen, by: User) -> Specimen:
    """The specimen under its lock, for somebody who may handle it.

    Its participant is locked first, as a withdrawal does that lists the samples.
    """
    by.require(Capability.HANDLE_SAMPLES, site=specimen.site_id)
    hold_participants([specimen.subject_id])
    held = held_specimen(specimen)
    if held.voided_at is not None:
        raise TransitionError(
            _("This specimen has been voided: %(why)s") % {"why": held.void_reason}
        )
    return held


def expect_collected(specimen: Specimen, *, ended: bool = False) -> None:
    """Refuse what cannot be said or done of a tube that is not filled, or has ended."""
    if specimen.state == SpecimenState.PREPARED:
        raise TransitionError(_("It has not been collected."))
    if not (ended or specimen.is_live):
        raise TransitionError(
            _("This specimen is “%(state)s”.") % {"state": specimen.get_state_display()}
        )


def already(specimen: Specimen) -> Specimen:
    """The same scan again is no error; one of a sample that has ended is."""
    if specimen.state in {SpecimenState.DISCARDED, SpecimenState.DESTROYED, SpecimenState.LOST}:
        raise TransitionError(
            _("This specimen is “%(state)s”.") % {"state": specimen.get_state_display()}
        )
    return specimen


def demand(reason: str) -> None:
    """Ask for the reason."""
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Give the reason.")]})


def fresh(specimen: Specimen) -> Specimen:
    """The specimen as the database has moved it on."""
    return Specimen.objects.select_related("site", "subject__site", "visit").get(pk=specimen.pk)
