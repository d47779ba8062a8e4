"""The pages of notices: one's own, how one wants them, and the log of their delivery."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, open_to_staff, requires
from trialsite.access.models import Site
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.notify.forms import LogFilter, PreferencesForm, initial_of
from trialsite.notify.models import FINAL, HELD, Notice
from trialsite.notify.planning import planners
from trialsite.notify.readers import quiet_hours_of, readers_of
from trialsite.notify.selectors import (
    entries_of,
    for_log,
    lines_of,
    notices_to,
    preferences_of,
    title_of,
)
from trialsite.notify.services import cancel_notice, mark_seen, send_again, set_preferences

PAGE = 25


@open_to_staff
@require_safe
def notices(request: StaffRequest) -> HttpResponse:
    """The person's own notices, the latest first."""
    only_new = request.GET.get("show") == "new"
    rows = notices_to(request.user)
    if only_new:
        rows = rows.filter(seen_at=None)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "lines": lines_of(page.object_list, request.user),
        "only_new": only_new,
        **_tabs(request),
    }
    return render(request, "notify/notices.html", context)


def _tabs(request: StaffRequest) -> dict[str, Any]:
    return {"sees_log": request.user.can(Capability.VIEW_NOTICES)}


@open_to_staff
@require_POST
def open_notice(request: StaffRequest, notice_id: uuid.UUID) -> HttpResponse:
    """Mark one as seen and go where it leads."""
    notice = get_object_or_404(notices_to(request.user), pk=notice_id)
    mark_seen(keys=[notice.pk], by=request.user)
    [line] = lines_of([notice], request.user)
    return redirect(line.mail.path if line.mail and line.mail.path else "notify:notices")


@open_to_staff
@require_POST
def seen(request: StaffRequest) -> HttpResponse:
    """Mark one of one's own notices as seen, or all of them."""
    typed = request.POST.get("notice", "")
    try:
        keys = [uuid.UUID(typed)] if typed else None
    except ValueError:
        keys = []
    mark_seen(keys=keys, by=request.user)
    return redirect("notify:notices")


@open_to_staff
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: StaffRequest) -> HttpResponse:
    """How the person wants to be told."""
    if request.method == "POST":
        form = PreferencesForm(request.POST)
        if form.is_valid():
            set_preferences(**form.choices_made(), by=request.user)
            messages.success(request, _("From now on you are told like this."))
            return redirect("notify:preferences")
    else:
        form = PreferencesForm(initial=initial_of(preferences_of(request.user)))
    reader = readers_of([request.user], trial_now())[request.user.pk]
    context = {
        "form": form,
        "always": [each.title for each in planners() if each.urgent],
        "zone": reader.zone.key,
        "home": reader.home,
        "site_quiet": quiet_hours_of(reader.home) if reader.home else None,
        **_tabs(request),
    }
    return render(request, "notify/preferences.html", context, status=422 if form.errors else 200)


@requires(Capability.VIEW_NOTICES)
@require_safe
def log(request: StaffRequest) -> HttpResponse:
    """What was to be said to whom at the person's sites, and what became of it."""
    sites = Site.objects.filter(pk__in=request.user.access.sites(Capability.VIEW_NOTICES))
    asked = LogFilter(request.GET, sites=sites)
    rows = asked.narrow(for_log(Notice.objects.visible_to(request.user)))
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "entries": entries_of(page.object_list, request.user),
        "filter": asked,
        "narrowed": any(asked.cleaned_data.values()),
        "unsaid": Notice.objects.visible_to(request.user).unsaid().count(),
        "only_unsaid": asked.cleaned_data.get("unsaid"),
        **_tabs(request),
    }
    return render(request, "notify/log.html", context)


@requires(Capability.VIEW_NOTICES)
@require_safe
def delivery(request: StaffRequest, notice_id: uuid.UUID) -> HttpResponse:
    """One notice: every attempt to say it, and what can be done about it."""
    return _delivery(request, _visible(request, notice_id), ReasonForm())


def _visible(request: StaffRequest, notice_id: uuid.UUID) -> Notice:
    rows = for_log(Notice.objects.visible_to(request.user))
    found: Notice = get_object_or_404(rows, pk=notice_id)
    return found


def _delivery(request: StaffRequest, notice: Notice, form: ReasonForm) -> HttpResponse:
    [entry] = entries_of([notice], request.user)
    members = for_log(notice.members.visible_to(request.user))
    wide, site = request.user.access.study_wide, notice.site
    manages = Capability.MANAGE_NOTICES
    context = {
        "notice": notice,
        "entry": entry,
        "attempts": notice.log.order_by("-pk"),
        "members": entries_of(members, request.user),
        "digest_title": title_of(notice.within) if notice.within else "",
        "form": form,
        "may_manage": request.user.can(manages, site=site) if site else wide(manages),
        "ended": notice.state in FINAL,
        "held": notice.state in HELD,
    }
    return render(request, "notify/delivery.html", context, status=422 if form.errors else 200)


@requires(Capability.MANAGE_NOTICES)
@require_POST
def again(request: StaffRequest, notice_id: uuid.UUID) -> HttpResponse:
    """Have it sent once more, for a reason."""
    return _act(request, notice_id, send_again, _("It will be sent again."))


@requires(Capability.MANAGE_NOTICES)
@require_POST
def cancel(request: StaffRequest, notice_id: uuid.UUID) -> HttpResponse:
    """Take it back before it leaves, for a reason."""
    return _act(request, notice_id, cancel_notice, _("It is cancelled."))


def _act(
    request: StaffRequest, notice_id: uuid.UUID, service: Callable[..., Notice], done: str
) -> HttpResponse:
    notice = _visible(request, notice_id)
    form = ReasonForm(request.POST)
    if form.is_valid():
        try:
            result = service(notice=notice, reason=form.cleaned_data["reason"], by=request.user)
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, done)
            return redirect("notify:delivery", result.pk)
    return _delivery(request, notice, form)
