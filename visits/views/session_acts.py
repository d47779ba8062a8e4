"""Acts on the run sheet. Each is a plain form post that returns to its place on the sheet;
what is refused comes back with every keystroke, and the reason beside its field."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError
from trialsite.crf.posting import integer
from visits.models import TreatmentSession
from visits.runsheet.forms import (
    ActForm,
    CellsOffForm,
    CellsOnForm,
    EndForm,
    LookForm,
    PrescriptionForm,
    StartForm,
    TimesForm,
    VoidForm,
    VoidLookForm,
)
from visits.runsheet.page import RunSheet
from visits.services.event_looks import look_for_events, void_look
from visits.services.sessions import (
    Answer,
    SessionPlanned,
    Team,
    Times,
    answer_checklist,
    cells_off,
    cells_on,
    change_plan,
    complete_session,
    correct_times,
    end_session,
    enter_session,
    override_answer,
    start_session,
    void_session,
)
from visits.views.sessions import refusals_of, session_of, sheet_page

CELLS: dict[str, tuple[type[ActForm], Callable[..., object]]] = {
    "on": (CellsOnForm, cells_on),
    "off": (CellsOffForm, cells_off),
}


def back_to(found: TreatmentSession, place: str) -> HttpResponse:
    """The sheet, at the step where the person was."""
    return redirect(f"{reverse('visits:session', args=[found.pk])}#{place}")


def answer_act(
    request: StaffRequest,
    found: TreatmentSession,
    form: ActForm,
    act: Callable[[dict[str, Any]], object],
    *,
    place: str,
) -> HttpResponse:
    """Do it, and return; or show the sheet with what was refused."""
    if not form.is_valid():
        return sheet_page(request, found, refused=form, status=422)
    try:
        with transaction.atomic():
            act(form.cleaned_data)
    except NotPermittedError:
        raise
    except DomainError as error:
        form.refuse(refusals_of(request, error))
        again = session_of(request, found.pk)
        if not isinstance(error, StaleError):
            return sheet_page(request, again, refused=form, status=422)
        # The sheet that is shown now says what stands; the next post acts from there.
        form.data = {name: form.data[name] for name in form.data} | {"version": str(error.version)}
        return sheet_page(request, again, refused=form, status=409)
    return back_to(found, place)


@requires(Capability.ENTER_DATA)
@require_POST
def checklist(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Answer the questions of the checklist, all at once or one by one."""
    found = session_of(request, pk)
    answers = {
        key.removeprefix("q."): Answer(
            answer=value == "yes",
            reason=str(request.POST.get(f"why.{key.removeprefix('q.')}", "")),
            base_version=max(integer(request.POST.get(f"v.{key.removeprefix('q.')}", "")), 0),
        )
        for key, value in request.POST.items()
        if key.startswith("q.") and value in {"yes", "no"}
    }
    try:
        with transaction.atomic():
            answer_checklist(
                session=found,
                answers=answers,
                by=request.user,
                reason=request.POST.get("reason_text", ""),
            )
    except NotPermittedError:
        raise
    except DomainError as error:
        said = getattr(error, "errors", {"": [str(error)]})
        return sheet_page(
            request,
            session_of(request, pk),
            status=409 if isinstance(error, StaleError) else 422,
            checklist_errors=[message for each in said.values() for message in each],
            checklist_typed={
                key: (answer.answer, answer.reason) for key, answer in answers.items()
            },
            checklist_reason=True,
        )
    return back_to(found, "checklist")


@requires(Capability.SIGN_FORM)
@require_POST
def override(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A physician lets the session start in spite of a "no"."""
    found = session_of(request, pk)
    try:
        with transaction.atomic():
            override_answer(
                session=found,
                key=request.POST.get("key", ""),
                reason=request.POST.get("reason", ""),
                by=request.user,
                base_version=integer(request.POST.get("version", "")),
            )
    except NotPermittedError:
        raise
    except DomainError as error:
        said = getattr(error, "errors", {"": [str(error)]})
        return sheet_page(
            request,
            session_of(request, pk),
            status=422,
            override_key=request.POST.get("key", ""),
            override_reason=request.POST.get("reason", ""),
            override_errors=[message for each in said.values() for message in each],
        )
    return back_to(found, "checklist")


@requires(Capability.ENTER_DATA)
@require_POST
def start(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The circuit starts, if nothing stands in the way; with an end all of it is entered."""
    found = session_of(request, pk)
    sheet = RunSheet(found, request.user)
    form = StartForm(request.POST, near=sheet.near, team=sheet.team, physicians=sheet.physicians)

    def act(said: dict[str, Any]) -> None:
        by: dict[str, Any] = {"by": request.user, "base_version": form.base_version}
        team = {name: said[name] for name in ("operator", "second_checker", "physician")}
        late = said["late_reason"]
        if said["ended_at"] is None:
            started_at = said["started_at"] or wall_now(sheet)
            start_session(session=found, started_at=started_at, late_reason=late, **team, **by)
            return
        times = Times(**{each.name: said[each.name] for each in fields(Times)})
        stop = said["stop_reason"]
        enter_session(session=found, times=times, stop_reason=stop, late_reason=late, **team, **by)

    return answer_act(request, found, form, act, place="readings")


def wall_now(sheet: RunSheet) -> Any:
    """The clock at the site, to the minute as a bedside clock shows it."""
    return sheet.now.replace(second=0, microsecond=0)


@requires(Capability.ENTER_DATA)
@require_POST
def cells(request: StaffRequest, pk: uuid.UUID, which: str) -> HttpResponse:
    """The reactor goes into the circuit, or out of it."""
    found = session_of(request, pk)
    sheet = RunSheet(found, request.user)
    if which not in CELLS:
        raise Http404
    kind, service = CELLS[which]
    form = kind(request.POST, near=sheet.near)

    def act(said: dict[str, Any]) -> None:
        service(
            session=found,
            at=said["at"] or wall_now(sheet),
            by=request.user,
            base_version=form.base_version,
        )

    return answer_act(request, found, form, act, place="readings")


@requires(Capability.ENTER_DATA)
@require_POST
def end(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The circuit ends, with the reason."""
    found = session_of(request, pk)
    sheet = RunSheet(found, request.user)
    form = EndForm(request.POST, near=sheet.near)

    def act(said: dict[str, Any]) -> None:
        end_session(
            session=found,
            ended_at=said["ended_at"] or wall_now(sheet),
            stop_reason=said["stop_reason"],
            stop_comment=said["stop_comment"],
            by=request.user,
            base_version=form.base_version,
        )

    return answer_act(request, found, form, act, place="end")


@requires(Capability.ENTER_DATA)
@require_POST
def times(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Correct times, people and end of the session, with a reason.

    People or a reason of the end that the post does not name stay as they are.
    """
    found = session_of(request, pk)
    sheet = RunSheet(found, request.user)
    near = found.started_at or sheet.near
    people: Any = {"team": sheet.team, "physicians": sheet.physicians}
    form = TimesForm(request.POST, near=near, **people)

    def act(said: dict[str, Any]) -> None:
        now = {name: getattr(found, name) for name in form.PEOPLE}
        team = {name: said[name] or stands for name, stands in now.items()}
        end = {name: said[name] for name in form.END if name in request.POST}
        correct_times(
            session=found,
            times=Times(**{name: said[name] for name in form.TIMES}),
            **end,
            team=Team(**team) if team != now else None,
            reason=said["reason"],
            by=request.user,
            base_version=form.base_version,
        )

    return answer_act(request, found, form, act, place="end")


@requires(Capability.ENTER_DATA)
@require_POST
def prescription(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Change what is prescribed."""
    found = session_of(request, pk)
    form = PrescriptionForm(request.POST, near=RunSheet(found, request.user).near)

    def act(said: dict[str, Any]) -> None:
        planned = {each.name: said[each.name] for each in fields(SessionPlanned)}
        change_plan(
            session=found,
            planned=SessionPlanned(**planned),
            reason=said["reason"],
            by=request.user,
            base_version=form.base_version,
        )

    return answer_act(request, found, form, act, place="prescription")


@requires(Capability.ENTER_DATA)
@require_POST
def void(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The session does not belong here; it keeps its number."""
    found = session_of(request, pk)
    form = VoidForm(request.POST, near=RunSheet(found, request.user).near)

    def act(said: dict[str, Any]) -> None:
        void_session(session=found, reason=said["reason"], by=request.user)

    return answer_act(request, found, form, act, place="sheet")


@requires(Capability.ENTER_DATA)
@require_POST
def look(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Somebody has looked for adverse events after the session."""
    found = session_of(request, pk)
    form = LookForm(request.POST, near=RunSheet(found, request.user).near)

    def act(said: dict[str, Any]) -> None:
        look_for_events(
            session=found, finding=said["finding"], comment=said["comment"], by=request.user
        )

    return answer_act(request, found, form, act, place="looks")


@requires(Capability.ENTER_DATA)
@require_POST
def void_one_look(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A look was stated wrongly; the protocol's question is asked again."""
    found = session_of(request, pk)
    sheet = RunSheet(found, request.user)
    looks = sheet.standing_looks
    form = VoidLookForm(request.POST, near=sheet.near, looks=looks, zone=sheet.zone)

    def act(said: dict[str, Any]) -> None:
        chosen = next(each for each in looks if str(each.pk) == said["look"])
        void_look(look=chosen, reason=said["reason"], by=request.user)

    return answer_act(request, found, form, act, place="looks")


@requires(Capability.ENTER_DATA)
@require_POST
def complete(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Everything of the session is entered."""
    found = session_of(request, pk)
    try:
        with transaction.atomic():
            complete_session(
                session=found,
                by=request.user,
                base_version=integer(request.POST.get("version", "")),
            )
    except NotPermittedError:
        raise
    except DomainError as error:
        problems = getattr(error, "problems", None) or {"": str(error)}
        return sheet_page(
            request,
            session_of(request, pk),
            status=422,
            completion_problems=list(problems.values()),
        )
    return back_to(found, "complete")
