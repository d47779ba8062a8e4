"""Whether consent carried a collection, as it stood at the moment of the sample."""

from __future__ import annotations

import datetime as dt
from functools import partial
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from samples.models import Specimen
from screening.models.consent import Scope
from screening.selectors.consent import standing_of
from screening.services.consent import ProcedureRefusedError, note_refused_procedure
from trialsite.casebook.moments import day_problem
from trialsite.crf.violations import ImpossibleError


def collection_refusal(specimen: Specimen, wall: dt.datetime, zone: str) -> str:
    """Why consent did not carry a collection at a time on the clock of a zone; empty: it did.

    What was drawn while consent stood was drawn with consent, however late it is entered
    or put right, and whatever became of the consent since (decisions C3-C5, C10). What
    cannot have been then is refused at its time.
    """
    subject, moment = specimen.subject, wall.replace(tzinfo=ZoneInfo(zone))
    here = moment.astimezone(ZoneInfo(subject.site.time_zone))
    if problem := day_problem(subject, here.date()):
        raise ImpossibleError({"happened_at": [problem]})
    standing = standing_of(subject)
    if standing.fact is None or moment < standing.fact.given_at:
        raise ImpossibleError({"happened_at": [_("This is before the consent.")]})
    return " ".join(standing.as_of(moment, here.date()).refusals(Scope.SAMPLES))


def require_collection(specimen: Specimen, wall: dt.datetime, zone: str) -> None:
    """Let a tube be filled, or refuse the procedure, which notes the attempt (C4)."""
    reason = collection_refusal(specimen, wall, zone)
    if not reason:
        return
    subject, name = specimen.subject, specimen.kind_name
    raise ProcedureRefusedError(
        reason, partial(note_refused_procedure, subject=subject, procedure=name, reason=reason)
    )
