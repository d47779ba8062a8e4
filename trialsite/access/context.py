"""A person's context: the sites and the role under which the database is used."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AnonymousUser

from trialsite.access.models import Site, User
from trialsite.core.context import Channel, Context


def context_of(
    user: User | AnonymousUser,
    channel: Channel,
    *,
    reason: str = "",
    request_id: uuid.UUID | None = None,
) -> Context:
    """The context in which this person's request runs; nobody is nobody, everywhere."""
    request_id = request_id or uuid.uuid4()
    if isinstance(user, AnonymousUser):
        return Context(channel=channel, system="anonymous", request_id=request_id)
    return Context(
        channel=channel,
        actor_id=user.pk,
        role=", ".join(user.access.roles()),
        sites=user.access.sites(),
        reason=reason,
        request_id=request_id,
    )


def system_context(name: str, channel: Channel, *, reason: str = "") -> Context:
    """A named process of the system itself, which sees every site."""
    sites = frozenset(Site.objects.values_list("pk", flat=True))
    return Context(channel=channel, system=name, sites=sites, reason=reason or name)
