"""The first word of a serious adverse event: one page, two minutes."""

from __future__ import annotations

import uuid
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from outcomes.models import AdverseEvent, SaeCase, UnreportedDeath
from outcomes.sae_forms import FirstWordForm
from outcomes.services.sae_entry import SameEventError, report_event, report_known
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.models import stored
from visits.models import Complication
from visits.models.session_codes import ComplicationCode


@requires(Capability.REPORT_SAE)
@require_http_methods(["GET", "HEAD", "POST"])
def new_case(request: StaffRequest) -> HttpResponse:
    """Report a serious adverse event with the least that makes a report."""
    mine = Subject.objects.visible_to(request.user, Capability.REPORT_SAE)
    subjects = mine.select_related("site").order_by("site__code", "screening_number")
    choices = [(str(each.pk), each.label) for each in subjects]
    complication = _complication(request)
    if request.method == "POST":
        form = FirstWordForm(request.POST, subjects=choices)
    else:
        form = FirstWordForm(
            subjects=choices,
            initial=_preset(request, list(subjects), complication, _death(request)),
        )
    same: list[AdverseEvent] = []
    if request.method == "POST" and form.is_valid():
        try:
            case = _reported(request, form, list(subjects), complication)
        except NotPermittedError:
            raise
        except SameEventError as asked:
            same = asked.found
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(
                request, _("The event is entered and its clocks run. What is missing may follow.")
            )
            return redirect("outcomes:sae_case", case.pk)
    context = {"form": form, "same": same, "complication": complication}
    status = 409 if same else 422 if form.errors else 200
    return render(request, "outcomes/sae_new.html", context, status=status)


def _reported(
    request: StaffRequest,
    form: FirstWordForm,
    subjects: list[Subject],
    complication: Complication | None,
) -> SaeCase:
    subject = next(each for each in subjects if str(each.pk) == form.cleaned_data["subject"])
    if complication is not None and complication.subject_id != subject.pk:
        raise DomainError(_("The complication is another participant’s."))
    known = request.POST.get("known", "")
    if known:
        rows = stored(AdverseEvent).visible_to(request.user, Capability.REPORT_SAE)
        event = get_object_or_404(
            rows.filter(subject=subject, record__voided_at=None), pk=_key(known)
        )
        return report_known(event=event, word=form.word(), by=request.user)
    return report_event(
        subject=subject,
        word=form.word(),
        complication=complication,
        another=form.cleaned_data["another"],
        by=request.user,
    )


def _key(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


def _complication(request: StaffRequest) -> Complication | None:
    """The complication from which the person comes; another site's is none."""
    text = request.POST.get("complication") or request.GET.get("complication", "")
    if not text:
        return None
    rows = Complication.objects.visible_to(request.user, Capability.REPORT_SAE)
    found: Complication = get_object_or_404(rows, pk=_key(text))
    return found


def _preset(
    request: StaffRequest,
    subjects: list[Subject],
    complication: Complication | None,
    death: UnreportedDeath | None,
) -> dict[str, Any]:
    """What is known already: now, oneself, the participant, and what the complication or the
    recorded death says."""
    source = complication or death
    wanted = str(source.subject_id) if source else request.GET.get("subject", "")
    subject = next((each for each in subjects if str(each.pk) == wanted), None)
    site = subject.site if subject else subjects[0].site if subjects else None
    preset: dict[str, Any] = {"reporter": request.user.full_name}
    if site is not None:
        preset["aware_at"] = trial_now().astimezone(ZoneInfo(site.time_zone)).replace(tzinfo=None)
    if subject is not None:
        preset["subject"] = str(subject.pk)
    if complication is not None:
        preset |= _of_complication(complication)
    if death is not None and site is not None:
        known = death.known_at.astimezone(ZoneInfo(site.time_zone))
        preset |= {"criterion": "results_in_death", "aware_at": known.replace(tzinfo=None)}
    return preset


def _death(request: StaffRequest) -> UnreportedDeath | None:
    """The recorded death from which the person comes; another site's is none."""
    text = request.GET.get("death", "")
    if not text:
        return None
    rows = UnreportedDeath.objects.visible_to(request.user, Capability.REPORT_SAE)
    found: UnreportedDeath = get_object_or_404(rows, pk=_key(text))
    return found


def _of_complication(complication: Complication) -> dict[str, Any]:
    term = complication.get_code_display() or ""
    if complication.code == ComplicationCode.OTHER and complication.comment:
        term = complication.comment
    preset: dict[str, Any] = {
        "complication": str(complication.pk),
        "term": " ".join(str(term).split())[:200],
    }
    if complication.onset_at is not None:
        preset["started_on"] = complication.onset_at.date().isoformat()
        preset["started_time"] = complication.onset_at.time()
    return preset
