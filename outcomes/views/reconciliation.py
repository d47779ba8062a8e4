"""SAE reconciliation: paste or upload the list, read what differs, decide line by line."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from outcomes.models import Found, SaeReconciliation, SaeReconciliationLine
from outcomes.services.sae_reconciliation import decide_line, reconcile_cases
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.core.exceptions import DomainError, NotPermittedError

PAGE = 50
#: What a hospital's or a sponsor's list is encoded in, in the order it is tried.
ENCODINGS = ("utf-8-sig", "gb18030")
LARGEST = 2 * 1024 * 1024


class ListForm(forms.Form):
    """The list of a safety database, pasted or as a file."""

    source = forms.CharField(
        label=_("Safety database"),
        max_length=200,
        help_text=_("Its name, and as of which day the list is."),
    )
    text = forms.CharField(
        label=_("The list, pasted"),
        required=False,
        strip=False,
        max_length=LARGEST,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=_("First line: case number, subject, term, onset, seriousness, outcome."),
    )
    file = forms.FileField(
        label=_("Or as a CSV file"),
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv"}),
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        file = cleaned.get("file")
        if file is not None:
            cleaned["text"] = self._read(file)
        if not (cleaned.get("text") or "").strip() and not self.errors:
            self.add_error("text", _t("Paste the list, or choose its file."))
        return cleaned

    def _read(self, file: Any) -> str:
        if file.size > LARGEST:
            self.add_error("file", _t("This file is larger than 2 MB."))
            return ""
        content: bytes = file.read()
        for encoding in ENCODINGS:
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                continue
        self.add_error("file", _t("This file is no text: save the list as CSV."))
        return ""


@requires(Capability.MANAGE_SAFETY)
@require_safe
def reconciliations(request: StaffRequest) -> HttpResponse:
    """The comparisons made so far, and how much of each waits for a decision."""
    request.user.require_study_wide(Capability.MANAGE_SAFETY)
    waiting = Count("lines", filter=~Q(lines__found=Found.AGREES) & Q(lines__decision=""))
    rows = SaeReconciliation.objects.select_related("made_by").annotate(
        waiting=waiting, total=Count("lines")
    )
    page = Paginator(rows.order_by("-made_at"), PAGE).get_page(request.GET.get("page"))
    return render(request, "outcomes/reconciliations.html", {"page": page, "may_reconcile": True})


@requires(Capability.MANAGE_SAFETY)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: StaffRequest) -> HttpResponse:
    """Compare with a list."""
    request.user.require_study_wide(Capability.MANAGE_SAFETY)
    posted = request.method == "POST"
    form = ListForm(request.POST, request.FILES) if posted else ListForm()
    if posted and form.is_valid():
        try:
            made = reconcile_cases(
                text=form.cleaned_data["text"],
                source=form.cleaned_data["source"],
                by=request.user,
            )
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error("file" if form.cleaned_data.get("file") else "text", str(refused))
        else:
            messages.success(request, _t("The list is compared."))
            return redirect("outcomes:reconciliation", made.pk)
    status = 422 if form.errors else 200
    return render(request, "outcomes/new_reconciliation.html", {"form": form}, status=status)


def _lines(request: StaffRequest) -> Any:
    seen = SaeReconciliationLine.objects.visible_to(request.user, Capability.MANAGE_SAFETY)
    return seen.select_related("subject", "case__record", "decided_by")


@requires(Capability.MANAGE_SAFETY)
@require_safe
def reconciliation(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One comparison: what differs first, each with its decision."""
    return _page(request, pk)


def _page(request: StaffRequest, pk: uuid.UUID, *, wrong: str = "") -> HttpResponse:
    request.user.require_study_wide(Capability.MANAGE_SAFETY)
    found = get_object_or_404(SaeReconciliation.objects.select_related("made_by"), pk=pk)
    lines = list(_lines(request).filter(reconciliation=found).order_by("position"))
    names = _names()
    context = {
        "run": found,
        "rows": [
            {
                "line": line,
                "fields": [
                    {
                        "name": names[name],
                        "here": line.here.get(name, ""),
                        "there": line.there.get(name, ""),
                        "differs": name in line.differing,
                    }
                    for name in names
                ],
            }
            for line in lines
            if line.found != Found.AGREES
        ],
        "agreeing": [line for line in lines if line.found == Found.AGREES],
        "names": names,
        "wrong": wrong,
        "may_reconcile": True,
    }
    status = 422 if wrong else 200
    return render(request, "outcomes/reconciliation.html", context, status=status)


def _names() -> dict[str, Any]:
    return {
        "case": _t("Case no."),
        "subject": _t("Subject"),
        "term": _t("Event"),
        "onset": _t("Start"),
        "serious": _t("Serious"),
        "outcome": _t("Outcome of the event"),
    }


@requires(Capability.MANAGE_SAFETY)
@require_POST
def decide(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Keep what is decided about one line."""
    line = get_object_or_404(_lines(request), pk=pk)
    try:
        decide_line(line=line, decision=request.POST.get("decision", ""), by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        return _page(request, line.reconciliation_id, wrong=str(refused))
    address = reverse("outcomes:reconciliation", args=[line.reconciliation_id])
    return redirect(f"{address}#line-{line.position}")
