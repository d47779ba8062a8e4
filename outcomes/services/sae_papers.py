"""What a report carried that left on paper before it could be signed here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import gettext as _

from outcomes.models import AdverseEvent, SaeCase
from outcomes.selectors.sae_content import Paper
from outcomes.selectors.sae_then import held_at, held_now
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What the paper itself says of the event, as the person reads it there."""

    grave: bool
    suspected: bool


def more_than_known() -> str:
    """Why a paper is refused that says more than was known, and the way on."""
    return _(
        "By the entries of that time this was not known yet when the paper left. Say what the "
        "paper carried then, and sign and send what became known since as a further report."
    )


def paper_of(
    case: SaeCase, event: AdverseEvent, *, sent_at: dt.datetime, carried: Carried | None
) -> Paper:
    """The paper with the facts it carried: those of the moment it left.

    Raises DomainError where these are not what is known now and the person has not said what
    it carried, and where they say more than was known then: no clock is met by what a paper
    cannot have said.
    """
    then, now = held_at(case, event, sent_at), held_now(case, event)
    early = sent_at < case.opened_at.replace(second=0, microsecond=0)
    same = (then.grave, then.suspected, then.taken_back) == (
        now.grave,
        now.suspected,
        now.taken_back,
    )
    if carried is None and (early or not same):
        raise DomainError(
            _("What is known has changed since it was sent, or was not entered yet. Say what "
              "the paper carried: whether it calls the event fatal or life-threatening, and "
              "whether it suspects the treatment.")
        )  # fmt: skip
    said = carried or Carried(grave=now.grave, suspected=now.suspected)
    if (said.grave and not then.grave) or (said.suspected and not then.suspected):
        raise DomainError(more_than_known())
    return Paper(
        sent_at=sent_at,
        kept_at=trial_now(),
        grave=said.grave,
        suspected=said.suspected,
        taken_back=then.taken_back,
        whole=same
        and not early
        and then.version == now.version
        and (said.grave, said.suspected) == (now.grave, now.suspected),
    )
