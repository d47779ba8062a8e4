"""Who has access: by day, as delegation log, as training log."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReportForm, utc_today
from trialsite.access.http import StaffRequest, requires
from trialsite.access.reports import (
    access_on,
    as_rows,
    visible_memberships,
    visible_trainings,
)
from trialsite.core.acts import note_act
from trialsite.core.spreadsheets import neutralise

sees_access = requires(Capability.VIEW_ACCESS_REPORT)


@sees_access
@require_safe
def report(request: StaffRequest) -> HttpResponse:
    """Who could do what where on a day, on the page or as CSV."""
    form = ReportForm(request.GET or None)
    date: dt.date = (form.is_valid() and form.cleaned_data["on"]) or utc_today()
    lines = access_on(by=request.user, date=date)
    if request.GET.get("format") == "csv":
        note_act("access_report_downloaded", details={"on": date.isoformat()})
        return _csv(f"access-{date.isoformat()}.csv", as_rows(lines, date))
    if not form.is_bound:
        form = ReportForm(initial={"on": date})
    return render(request, "access/report.html", {"form": form, "date": date, "lines": lines})


@sees_access
@require_safe
def delegation(request: StaffRequest) -> HttpResponse:
    """The delegation log: every line ever written, ended ones too."""
    lines = visible_memberships(request.user).order_by("user__full_name", "valid_from", "pk")
    return render(request, "access/delegation.html", {"lines": lines})


@sees_access
@require_safe
def trainings(request: StaffRequest) -> HttpResponse:
    """The training log."""
    return render(request, "access/trainings.html", {"lines": visible_trainings(request.user)})


def _csv(name: str, rows: Iterable[list[str]]) -> HttpResponse:
    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([neutralise(cell) for cell in row])
    response = HttpResponse(
        text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
