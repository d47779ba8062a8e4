"""Who may witness the end of a sample."""

from __future__ import annotations

from django.db.models import Q

from trialsite.access.capabilities import Capability, roles_granting
from trialsite.access.models import Membership, Site, User
from trialsite.core.clock import trial_now


def witnesses_at(site: Site, *, beside: User) -> list[User]:
    """Who handles samples or the product at a site today, by name; nobody witnesses oneself."""
    roles = {
        *roles_granting(Capability.HANDLE_SAMPLES),
        *roles_granting(Capability.MANAGE_PRODUCT),
    }
    held = Membership.objects.on(trial_now().date()).filter(role__in=roles)
    held = held.filter(Q(site=None) | Q(site=site))
    people = User.objects.filter(is_active=True, memberships__in=held).exclude(pk=beside.pk)
    return list(people.distinct().order_by("full_name", "pk"))
