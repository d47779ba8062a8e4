"""What the sample plan says of a visit, as services ask it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from samples.kinds import NOT_COLLECTED
from trialsite.casebook.models import Visit
from trialsite.casebook.protocols import event_of, protocol_of
from trialsite.core.exceptions import DomainError
from trialsite.protocol.samples import SamplePlan


def plan_of(visit: Visit) -> SamplePlan:
    """The sample plan under which a visit was laid out."""
    plan = protocol_of(visit.protocol_version_id).samples
    if plan is None:
        raise DomainError(_("This protocol plans no samples."))
    return plan


def tubes_planned(visit: Visit, kind: str) -> int:
    """How many tubes of a kind the protocol plans at most at a visit; 0 where it plans none."""
    event = event_of(visit)
    planned = kind in event.samples or kind in event.optional_samples
    return int(plan_of(visit).specimen(kind).tubes.high or 0) if planned else 0


def not_collected_key(visit: Visit, kind: str) -> str:
    """Under which key a visit's planned specimen that was not collected is proposed."""
    return f"{NOT_COLLECTED.code}:{visit.pk}:{kind}"
