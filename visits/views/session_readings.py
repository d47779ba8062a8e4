"""The grid of readings: one line at a time as its page's script saves it, or all by a button."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from trialsite.access.capabilities import Capability
from trialsite.access.errors import problem_response
from trialsite.access.http import StaffRequest, requires
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.posting import reason_of
from visits.models import TreatmentSession
from visits.runsheet.grid import Grid, Line
from visits.runsheet.page import RunSheet
from visits.runsheet.saving import (
    Outcome,
    Posted,
    belongs,
    keep_draft,
    posted_lines,
    save_line,
)
from visits.views.session_acts import back_to
from visits.views.sessions import session_of, sheet_page

_STATUS = {"saved": 200, "conflict": 409, "refused": 422, "reason": 422}


class _NotAllSavedError(Exception):
    """Some line of the sheet was refused: none is stored, all come back as typed."""


def _one(request: StaffRequest, grid: Grid, row_id: uuid.UUID) -> Posted:
    """The one line that was posted, which is a reading of this sheet or may become one."""
    lines = posted_lines(request.POST)
    if len(lines) != 1 or lines[0].row_id != row_id or not belongs(grid, lines[0]):
        raise Http404
    return lines[0]


@requires(Capability.ENTER_DATA)
@require_POST
def draft(request: StaffRequest, pk: uuid.UUID, row_id: uuid.UUID) -> HttpResponse:
    """Keep what is typed into a line so far; no export ever sees it."""
    grid = RunSheet(session_of(request, pk), request.user).grid
    posted = _one(request, grid, row_id)
    try:
        at = keep_draft(grid, posted, by=request.user)
    except NotPermittedError:
        raise
    except DomainError as error:
        return problem_response(409, str(error))
    return JsonResponse({"at": at})


@requires(Capability.ENTER_DATA)
@require_POST
def reading(request: StaffRequest, pk: uuid.UUID, row_id: uuid.UUID) -> HttpResponse:
    """Save one line, and answer with the line as it stands then."""
    found = session_of(request, pk)
    grid = RunSheet(found, request.user).grid
    posted = _one(request, grid, row_id)
    outcome = save_line(grid, posted, by=request.user, reason=reason_of(request))
    fresh = RunSheet(found, request.user)
    line = _laid(fresh.grid, posted, outcome)
    said = {
        "outcome": outcome.status,
        "row": render_to_string(
            "visits/_reading.html", {"line": line, "grid": fresh.grid, "session": found}, request
        ),
    }
    return JsonResponse(said, status=_STATUS[outcome.status])


def _laid(grid: Grid, posted: Posted, outcome: Outcome) -> Line | None:
    """The line on the sheet: as stored, or as typed where it was not."""
    if grid.line(posted.row_id) is None:
        grid.add(posted.row_id, posted.slot)
    if outcome.typed is None:
        return grid.line(posted.row_id)
    return grid.lay(posted.row_id, outcome.typed)


@requires(Capability.ENTER_DATA)
@require_POST
def readings(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Save every changed line of the sheet; if one is refused, none is stored."""
    found = session_of(request, pk)
    grid = RunSheet(found, request.user).grid
    lines = [line for line in posted_lines(request.POST) if line.changed and belongs(grid, line)]
    outcomes: list[tuple[Posted, Outcome]] = []
    try:
        with transaction.atomic():
            for line in lines:
                outcome = save_line(grid, line, by=request.user, reason=reason_of(request))
                outcomes.append((line, outcome))
            if any(outcome.status != "saved" for _line, outcome in outcomes):
                raise _NotAllSavedError
    except _NotAllSavedError:
        return _as_typed(request, found, outcomes)
    if outcomes:
        messages.success(request, _("The readings are saved."))
    return back_to(found, "readings")


def _as_typed(
    request: StaffRequest, found: TreatmentSession, outcomes: list[tuple[Posted, Outcome]]
) -> HttpResponse:
    conflict = any(outcome.status == "conflict" for _line, outcome in outcomes)
    return sheet_page(
        request,
        found,
        status=409 if conflict else 422,
        laid=outcomes,
        needs_reason=any(outcome.status == "reason" for _line, outcome in outcomes),
    )
