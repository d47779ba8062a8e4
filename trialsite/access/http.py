"""Who may open a page, said on the view; a view that says nothing opens for nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django_htmx.middleware import HtmxDetails

from trialsite.access.capabilities import Capability
from trialsite.access.models import User

V = TypeVar("V", bound=Callable[..., Any])

#: In the session: the site whose rows the person's lists show.
SITE_KEY = "site"


class StaffRequest(HttpRequest):
    """A request of a signed-in person whose second factor has been seen."""

    user: User
    htmx: HtmxDetails


class Audience(Enum):
    """Who a page is for, before capabilities."""

    ANYONE = "anyone"
    #: Signed in, perhaps behind the idle lock: to open it, or to leave.
    LOCKED = "locked"
    #: Signed in, perhaps still without a second factor: to enrol one.
    ENROLLING = "enrolling"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a view demands: an audience, and a capability held at some site."""

    audience: Audience
    capability: Capability | None = None

    def admits(self, user: User | AnonymousUser) -> bool:
        if self.audience is Audience.ANYONE:
            return True
        if isinstance(user, AnonymousUser):
            return False
        return self.capability is None or user.can(self.capability)


def _with(policy: Policy | dict[str, Policy]) -> Callable[[V], V]:
    def decorate(view: V) -> V:
        view.policy = policy  # type: ignore[attr-defined]
        return view

    return decorate


#: Decorators that state a view's policy.
open_to_anyone = _with(Policy(Audience.ANYONE))
open_behind_lock = _with(Policy(Audience.LOCKED))
open_while_enrolling = _with(Policy(Audience.ENROLLING))
open_to_staff = _with(Policy(Audience.STAFF))


def requires(capability: Capability) -> Callable[[V], V]:
    """The view is for staff to whom the capability is delegated at some site at least."""
    return _with(Policy(Audience.STAFF, capability))


def requires_by_method(**capabilities: Capability) -> Callable[[V], V]:
    """The same for a view whose methods differ: `get=..., put=...`."""
    return _with(
        {name.upper(): Policy(Audience.STAFF, each) for name, each in capabilities.items()}
    )


def reads_one_moment(view: Callable[..., HttpResponse]) -> bool:
    """Whether what a view answers is of one moment, though it reads in several statements."""
    return bool(getattr(getattr(view, "cls", view), "one_moment", False))


def policy_of(view: Callable[..., HttpResponse], method: str) -> Policy | None:
    """The policy of a view for a method, or None where nobody has stated one."""
    stated = getattr(view, "policy", None) or getattr(getattr(view, "cls", None), "policy", None)
    if isinstance(stated, dict):
        method = "GET" if method in {"HEAD", "OPTIONS"} else method
        return stated.get(method)
    return stated
