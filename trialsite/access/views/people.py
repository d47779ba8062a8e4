"""People: who they are, what is delegated to them, whether they can sign in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from trialsite.access import services
from trialsite.access.capabilities import Capability, Role
from trialsite.access.forms import (
    EndForm,
    GrantForm,
    InviteForm,
    PeopleFilter,
    ReasonForm,
    TrainingForm,
)
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Invitation, Membership, User
from trialsite.access.views.api_tokens import tokens_of
from trialsite.core.exceptions import DomainError, NotPermittedError

manages_people = requires(Capability.MANAGE_PEOPLE)


def _visible(by: User) -> QuerySet[User]:
    """Everybody for the study's administrator; a site's sees the site's people."""
    people = User.objects.all()
    if by.access.study_wide(Capability.MANAGE_PEOPLE):
        return people
    at = Membership.objects.filter(
        user=OuterRef("pk"), site__in=by.access.sites(Capability.MANAGE_PEOPLE)
    )
    return people.filter(Exists(at))


def _person(by: User, pk: int) -> User:
    return get_object_or_404(_visible(by), pk=pk)


def _current() -> Prefetch[str, Any, str]:
    today = dt.datetime.now(dt.UTC).date()
    lines = Membership.objects.on(today).select_related("site")
    return Prefetch("memberships", queryset=lines, to_attr="current")


def _filtered(people: QuerySet[User], chosen: dict[str, Any]) -> QuerySet[User]:
    today = dt.datetime.now(dt.UTC).date()
    held = Membership.objects.on(today).filter(user=OuterRef("pk"))
    if chosen.get("site"):
        people = people.filter(Exists(held.filter(Q(site=chosen["site"]) | Q(site=None))))
    if chosen.get("role"):
        people = people.filter(Exists(held.filter(role=chosen["role"])))
    waiting = Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    states = {
        "active": Q(is_active=True) & ~waiting,
        "invited": Q(is_active=True) & waiting,
        "deactivated": Q(is_active=False),
    }
    return people.filter(states.get(chosen.get("state", ""), Q()))


@manages_people
@require_safe
def people(request: StaffRequest) -> HttpResponse:
    """Everybody with an account, and the roles they hold today."""
    form = PeopleFilter(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    found = _filtered(_visible(request.user), chosen).prefetch_related(_current())
    return render(request, "access/people.html", {"form": form, "people": found})


@manages_people
@never_cache
@require_http_methods(["GET", "POST"])
def invite(request: StaffRequest) -> HttpResponse:
    """A new person; the link is shown to the inviter once, for handing over."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        fields = form.cleaned_data | {"role": Role(form.cleaned_data["role"])}
        try:
            user, link = services.invite_person(by=request.user, **fields)
        except DomainError as error:
            _refused(form, error)
        else:
            return _show_link(request, user, link)
    return render(request, "access/invite.html", {"form": form})


def _show_link(request: StaffRequest, user: User, link: str) -> HttpResponse:
    return render(request, "access/invitation_link.html", {"person": user, "link": link})


def _refused(form: forms.Form, error: DomainError) -> None:
    if isinstance(error, NotPermittedError):
        raise error
    form.add_error(None, str(error))


@manages_people
@require_safe
def person(request: StaffRequest, pk: int) -> HttpResponse:
    """One person: the delegation log, the training log, the state of the account."""
    found = _person(request.user, pk)
    return render(
        request,
        "access/person.html",
        {
            "person": found,
            "memberships": found.memberships.select_related("site", "granted_by").order_by(
                "-valid_from", "-pk"
            ),
            "trainings": found.trainings.select_related("recorded_by").order_by("-trained_on"),
            "deactivations": found.deactivations.order_by("-started_at"),
            "invitation": Invitation.objects.filter(user=found).order_by("-pk").first(),
            "tokens": tokens_of(found),
            "now": timezone.now(),
            "is_self": found.pk == request.user.pk,
            "may_end": found.is_active and found.pk != request.user.pk,
        },
    )


def _act(
    request: StaffRequest,
    user: User,
    form: forms.Form,
    heading: str,
    act: Callable[[dict[str, Any]], object],
    *,
    done: str,
    danger: bool = False,
    consequence: str = "",
) -> HttpResponse:
    """One form, one service: refused with its words, or done and back at the person.

    `consequence` says before the act what cannot be guessed from its name.
    """
    if request.method == "POST" and form.is_valid():
        try:
            result = act(form.cleaned_data)
        except DomainError as error:
            _refused(form, error)
        else:
            if isinstance(result, str):
                return _show_link(request, user, result)
            messages.success(request, done)
            return redirect("access:person", pk=user.pk)
    context = {
        "form": form,
        "person": user,
        "heading": heading,
        "danger": danger,
        "consequence": consequence,
    }
    return render(request, "access/act.html", context)


get_and_post = require_http_methods(["GET", "POST"])


@manages_people
@get_and_post
def grant(request: StaffRequest, pk: int) -> HttpResponse:
    """Write a line of the delegation log."""
    user = _person(request.user, pk)
    return _act(
        request,
        user,
        GrantForm(request.POST or None),
        _("Grant a role"),
        lambda fields: services.grant_membership(
            by=request.user, user=user, **(fields | {"role": Role(fields["role"])})
        ),
        done=_("The role is granted."),
    )


@manages_people
@get_and_post
def end(request: StaffRequest, pk: int) -> HttpResponse:
    """End a line of the delegation log."""
    line = get_object_or_404(Membership.objects.select_related("user", "site"), pk=pk)
    if not _visible(request.user).filter(pk=line.user_id).exists():
        raise Http404
    return _act(
        request,
        line.user,
        EndForm(request.POST or None),
        _("End the role “%(role)s” at %(site)s")
        % {"role": line.get_role_display(), "site": line.site or _("all sites")},
        lambda fields: services.end_membership(by=request.user, membership=line, **fields),
        done=_("The role is ended."),
        danger=True,
    )


@manages_people
@get_and_post
def training(request: StaffRequest, pk: int) -> HttpResponse:
    """Write a line of the training log."""
    user = _person(request.user, pk)
    return _act(
        request,
        user,
        TrainingForm(request.POST or None),
        _("Record training"),
        lambda fields: services.record_training(by=request.user, user=user, **fields),
        done=_("The training is recorded."),
    )


@manages_people
@get_and_post
def deactivate(request: StaffRequest, pk: int) -> HttpResponse:
    """Switch an account off."""
    user = _person(request.user, pk)
    return _act(
        request,
        user,
        ReasonForm(request.POST or None),
        _("Deactivate the account"),
        lambda fields: services.deactivate_person(by=request.user, user=user, **fields),
        done=_("The account is deactivated; open sessions end with their next request."),
        danger=True,
        consequence=_(
            "Nobody can sign in with this account any more; its sessions and API tokens are "
            "refused from the next request on. Its roles and all it did stay in the logs. It can "
            "be reactivated; its tokens stay ended."
        ),
    )


@manages_people
@never_cache
@get_and_post
def reactivate(request: StaffRequest, pk: int) -> HttpResponse:
    """Switch an account on again, with a new invitation."""
    user = _person(request.user, pk)
    return _act(
        request,
        user,
        ReasonForm(request.POST or None),
        _("Reactivate the account"),
        lambda fields: services.reactivate_person(by=request.user, user=user, **fields),
        done="",
        consequence=_("The person gets a new invitation; roles that have not ended count again."),
    )


@manages_people
@never_cache
@get_and_post
def invite_again(request: StaffRequest, pk: int) -> HttpResponse:
    """A new link for whoever cannot sign in any more."""
    user = _person(request.user, pk)
    return _act(
        request,
        user,
        ReasonForm(request.POST or None),
        _("Send a new invitation"),
        lambda fields: services.invite_again(by=request.user, user=user, **fields),
        done="",
        danger=True,
        consequence=_(
            "For somebody who lost the password, the phone and the recovery codes: make sure first "
            "who is asking. Password and second factors are forgotten, open sessions and API "
            "tokens end, and the person begins anew from the link."
        ),
    )
