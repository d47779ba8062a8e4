"""Who holds which right where."""

from __future__ import annotations

from trialsite.access.capabilities import Capability, roles_granting
from trialsite.access.models import Membership, Site, User
from trialsite.core.clock import trial_today


def holders_at(site: Site, capability: Capability) -> list[User]:
    """Those to whom a capability is delegated at a site today."""
    lines = Membership.objects.on(trial_today(site.time_zone)).filter(
        role__in=roles_granting(capability)
    )
    held = lines.filter(site=site) | lines.filter(site=None)
    return list(
        User.objects.filter(pk__in=held.values("user"), is_active=True).order_by("full_name", "pk")
    )
