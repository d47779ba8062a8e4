"""Who may stand beside a session: the staff of a site on a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db.models import Q

from screening.selectors.consent import investigators_of
from trialsite.access.capabilities import Capability, roles_granting
from trialsite.access.models import Membership, Site, User


def staff_of(site: Site, *, on: dt.date) -> list[User]:
    """Who was delegated to enter data at a site on a day, by name."""
    held = Membership.objects.on(on).filter(
        Q(site=site) | Q(site=None), role__in=roles_granting(Capability.ENTER_DATA)
    )
    people = User.objects.filter(pk__in=held.values("user"), is_active=True)
    return list(people.order_by("full_name", "pk"))


def physicians_of(site: Site, *, on: dt.date) -> list[User]:
    """Who was delegated as an investigator at a site on a day, by name."""
    return [person for person, _role in investigators_of(site, on=on)]


def people_at(site: Site, emails: Iterable[str]) -> dict[str, User]:
    """Those of these addresses who have ever held a role at a site, by address."""
    held = Membership.objects.filter(Q(site=site) | Q(site=None))
    wanted = {each.lower() for each in emails}
    people = User.objects.filter(pk__in=held.values("user"), email__in=wanted)
    return {person.email.lower(): person for person in people}
