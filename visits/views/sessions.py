"""The sessions of a participant, the plan of a new one, and the run sheet itself."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.keeping import keep
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.pages import CHANGE_REASONS, labels_of, visit_name
from trialsite.crf.registry import form
from visits.models import TreatmentSession
from visits.models.sessions import FORM_OID
from visits.runsheet.forms import ActForm, PlanForm
from visits.runsheet.grid import Typed
from visits.runsheet.page import RunSheet
from visits.runsheet.paper import Paper
from visits.runsheet.saving import Outcome, Posted
from visits.runsheet.times import shown
from visits.selectors.readiness import readiness
from visits.selectors.sessions import minutes_of, pauses_of, prepared_session, sessions_of
from visits.services.sessions import SessionRefusedError, plan_session

#: Usual prescription in minutes, offered and never taken for granted.
_OFFERED = 360


def session_of(request: StaffRequest, pk: uuid.UUID) -> TreatmentSession:
    """The session, if the person may see it; any other is not there."""
    found = TreatmentSession.objects.visible_to(request.user).select_related(
        "site",
        "subject__site",
        "record__site",
        "record__subject",
        "record__visit",
        "record__completed_by",
        "operator",
        "second_checker",
        "physician",
    )
    return get_object_or_404(found, pk=pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def of_subject(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A participant's sessions in their order, the voided among them."""
    subject = _subject(request, pk)
    sessions = list(sessions_of(request.user).filter(subject=subject).order_by("number"))
    pauses = pauses_of([each.pk for each in sessions])
    context = {
        "subject": subject,
        "sessions": [(each, minutes_of(each, pauses[each.pk])) for each in sessions],
        "readiness": readiness(subject),
        "prepared": prepared_session(subject),
        "may_enter": request.user.can(Capability.ENTER_DATA, site=subject.site_id),
    }
    return render(request, "visits/sessions.html", context)


@requires(Capability.ENTER_DATA)
@require_http_methods(["GET", "HEAD", "POST"])
def plan(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Prepare a participant's next session."""
    subject = _subject(request, pk)
    request.user.require(Capability.ENTER_DATA, site=subject.site_id)
    posted = request.POST if request.method == "POST" else None
    initial = {"planned_minutes": _OFFERED}
    found = PlanForm(posted, near=trial_now().replace(tzinfo=None), initial=initial)
    if posted is not None and found.is_valid():
        said = {name: value for name, value in found.cleaned_data.items() if name != "version"}
        try:
            session = plan_session(subject=subject, by=request.user, **said)
        except NotPermittedError:
            raise
        except DomainError as error:
            found.refuse(refusals_of(request, error))
        else:
            return redirect("visits:session", session.pk)
    context = {"subject": subject, "form": found, "readiness": readiness(subject)}
    return render(request, "visits/session_plan.html", context, status=422 if found.errors else 200)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def session(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The run sheet; a treatment visit whose session nobody has planned leads to the plan."""
    empty = CrfRecord.objects.visible_to(request.user).filter(
        pk=pk, form_oid=FORM_OID, session=None
    )
    if (record := empty.first()) is not None:
        may_enter = request.user.can(Capability.ENTER_DATA, site=record.site_id)
        return redirect(
            "visits:session_plan" if may_enter else "visits:sessions", record.subject_id
        )
    return sheet_page(request, session_of(request, pk))


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def live(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """What changes by itself on an open sheet: lines of others, the clock, the chart."""
    sheet = RunSheet(session_of(request, pk), request.user)
    return render(request, "visits/session_live.html", {"sheet": sheet, "grid": sheet.grid})


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def ready(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Whether the session's participant can be treated now, in a few words for Today."""
    found = session_of(request, pk)
    return render(request, "visits/session_ready.html", {"readiness": readiness(found.subject)})


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def paper(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The sheet for paper: as it stands, or blank for writing by hand."""
    found = session_of(request, pk)
    sheet = RunSheet(found, request.user)
    sheet.may_enter = False
    blank = request.GET.get("blank") == "1"
    context = _context(request, sheet) | {"blank": blank, "paper": Paper(sheet, blank=blank)}
    return render(request, "visits/session_paper.html", context)


def sheet_page(
    request: StaffRequest,
    found: TreatmentSession,
    *,
    refused: ActForm | None = None,
    status: int = 200,
    laid: Iterable[tuple[Posted, Outcome]] = (),
    checklist_typed: Mapping[str, tuple[bool, str]] | None = None,
    **more: Any,
) -> HttpResponse:
    """The run sheet; what was refused, an act or lines of readings, as it was filled in."""
    sheet = RunSheet(found, request.user, refused=refused, checklist_typed=checklist_typed)
    for posted, outcome in laid:
        typed = outcome.typed or Typed(posted.texts, base=posted.base, version=posted.version)
        sheet.grid.lay(posted.row_id, typed)
    return render(request, "visits/session.html", _context(request, sheet) | more, status=status)


def refusals_of(request: StaffRequest, error: DomainError) -> dict[str, list[str]]:
    """What was refused, by field; an attempt without consent is noted for good."""
    if isinstance(error, SessionRefusedError):
        keep(request, error.propose)
        return {"": error.reasons}
    found: dict[str, list[str]] = getattr(error, "errors", {"": [str(error)]})
    return found


def _context(request: StaffRequest, sheet: RunSheet) -> dict[str, Any]:
    record, user = sheet.record, request.user
    definition = form(record.form_oid)
    return {
        "sheet": sheet,
        "session": sheet.session,
        "record": record,
        "form": definition,
        "grid": sheet.grid,
        "may_enter": sheet.may_enter,
        "may_read_trail": user.can(Capability.VIEW_TRAIL, site=record.site_id),
        "may_ask": user.can(Capability.RAISE_QUERY, site=record.site_id),
        "may_answer": user.can(Capability.ANSWER_QUERY, site=record.site_id),
        "may_close": user.can(Capability.CLOSE_QUERY, site=record.site_id),
        "queries": sheet.queries,
        "askable": list(labels_of(definition).items()),
        "reasons": CHANGE_REASONS,
        "visit_name": visit_name(record),
        "crumb": _("Treatment sessions"),
        "now_text": shown(sheet.now, sheet.day),
    }


def _subject(request: StaffRequest, pk: uuid.UUID) -> Subject:
    mine = Subject.objects.visible_to(request.user).select_related("site", "protocol_version")
    return get_object_or_404(mine, pk=pk)
