"""Safety snapshots: taking one, reading it, and the committee's decision about it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.selectors import current_version
from trialsite.conduct.forms import SnapshotForm, StudyReviewForm
from trialsite.conduct.models import Decision, SafetySnapshot
from trialsite.conduct.selectors import rule_names
from trialsite.conduct.services.committee import REVIEW_MEANING, record_review
from trialsite.conduct.services.snapshots import is_intact, take_snapshot
from trialsite.conduct.snapshot_paper import snapshot_paper
from trialsite.conduct.views.holds import configures, signed_act, typed
from trialsite.core.exceptions import DomainError, NotPermittedError


def _found(request: StaffRequest, pk: uuid.UUID) -> SafetySnapshot:
    """Figures of the whole study: for others there is no such snapshot (decisions D6)."""
    rows = SafetySnapshot.objects.visible_to(request.user)
    return get_object_or_404(rows.select_related("version", "taken_by"), pk=pk)


@requires(Capability.HOLD)
@require_POST
def take(request: StaffRequest) -> HttpResponse:
    """Freeze the figures for a committee."""
    form = SnapshotForm(request.POST)
    if form.is_valid():
        try:
            made = take_snapshot(
                version=current_version(), purpose=form.cleaned_data["purpose"], by=request.user
            )
        except NotPermittedError:
            raise
        except DomainError as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, _("The snapshot is taken. It does not change any more."))
            return redirect("conduct:snapshot", made.pk)
    else:
        messages.error(request, _("Say what the snapshot is for."))
    return redirect("conduct:holds")


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def snapshot(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One snapshot as it was frozen, and what was decided about it."""
    found = _found(request, pk)
    context = {
        "snapshot": found,
        "intact": is_intact(found),
        "names": rule_names(found.version_id),
        "reviews": found.reviews.select_related("signature").order_by("recorded_at"),
        "may_configure": request.user.access.study_wide(Capability.CONFIGURE_STUDY),
    }
    return render(request, "conduct/snapshot.html", context)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def snapshot_pdf(request: StaffRequest, pk: uuid.UUID, language: str) -> HttpResponse:
    """A snapshot as the committee is handed it, in one language."""
    found = _found(request, pk)
    if language not in found.content:
        raise Http404
    answer = HttpResponse(snapshot_paper(found, language=language), content_type="application/pdf")
    name = f"safety-snapshot-{found.number}-{language}.pdf"
    answer["Content-Disposition"] = f'inline; filename="{name}"'
    answer["Cache-Control"] = "private, no-store"
    return answer


@configures
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Record what a committee decided about a snapshot."""
    request.user.require_study_wide(Capability.CONFIGURE_STUDY)
    found = _found(request, pk)
    form = StudyReviewForm(typed(request), request=request)
    form.offer(found.version_id)

    def act() -> None:
        said = form.cleaned_data
        record_review(
            version=current_version(),
            gate=said["gate"],
            decision=Decision(said["decision"]),
            meeting_on=said["meeting_on"],
            document=said["document"],
            comment=said["comment"],
            next_after=said["next_after"],
            next_on=said["next_on"],
            snapshot=found,
            by=request.user,
            proof=form.proof,
        )

    return signed_act(
        request,
        form=form,
        act=act,
        done=_("The review is recorded."),
        meaning=REVIEW_MEANING,
        heading=_("Record a review"),
        facts=[
            (_("Safety snapshot"), str(found)),
            (_("Data cut"), f"{found.taken_at:%Y-%m-%d %H:%M} UTC"),
            ("SHA-256", found.sha256),
        ],
    )
