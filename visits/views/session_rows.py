"""Rows of the run sheet beside the readings, the one-tap stop, and the comment on an episode."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError
from trialsite.crf.entry import Entry, read_texts, texts_of
from trialsite.crf.posting import reason_of
from trialsite.crf.services import lock_record, save_row
from visits.models import Interruption, SessionReading, TreatmentSession
from visits.runsheet.forms import ComplicationForm, IntegrityForm, InterruptionForm, RowForm
from visits.runsheet.page import RunSheet
from visits.views.session_acts import answer_act, back_to, wall_now
from visits.views.sessions import session_of, sheet_page

ROW_FORMS: dict[str, type[RowForm]] = {
    form.act: form for form in (InterruptionForm, ComplicationForm, IntegrityForm)
}


@requires(Capability.ENTER_DATA)
@require_POST
def add_row(request: StaffRequest, pk: uuid.UUID, kind: str) -> HttpResponse:
    """Add an interruption, a complication or an integrity test; the time may be now."""
    found = session_of(request, pk)
    sheet = RunSheet(found, request.user)
    form_class = ROW_FORMS.get(kind)
    if form_class is None:
        raise Http404
    form = form_class(request.POST, near=sheet.near)

    def act(said: dict[str, Any]) -> None:
        typed = form.entry()
        for name, field in form.fields.items():
            if field.help_text and hasattr(field, "near") and said.get(name) is None:
                said[name] = wall_now(sheet)
        try:
            save_row(
                record=found.record,
                group=form_class.table,
                entry=form.entry(),
                by=request.user,
                new_id=said["row"],
                reason=reason_of(request),
            )
        except StaleError:
            if not _says(form_class.table, said["row"], typed, request):
                raise

    return answer_act(request, found, form, act, place=kind)


def _says(table: Any, pk: uuid.UUID, typed: Entry, request: StaffRequest) -> bool:
    """Whether the row is stored just as it was typed: the second tap on one button."""
    row = table.objects.visible_to(request.user).get(pk=pk)
    return all(getattr(row, name) == value for name, value in typed.values.items() if value)


@requires(Capability.ENTER_DATA)
@require_POST
def stand_still(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One tap: the circuit stands still from now on; why is said when it runs again."""
    found = session_of(request, pk)
    try:
        lock_record(found.record, by=request.user)  # two taps at once are one interruption
    except NotPermittedError:
        raise
    except DomainError as error:
        messages.error(request, str(error))
        return back_to(found, "interruption")
    sheet = RunSheet(found, request.user)
    if sheet.standing_still is None:
        off = wall_now(sheet).isoformat(timespec="minutes")
        _save(request, sheet, Interruption, {"off_at": off})
    return back_to(found, "interruption")


@requires(Capability.ENTER_DATA)
@require_POST
def run_again(request: StaffRequest, pk: uuid.UUID, row_id: uuid.UUID) -> HttpResponse:
    """One tap: the circuit runs again, with the reason and what was done."""
    found = session_of(request, pk)
    rows = Interruption.objects.visible_to(request.user).filter(record=found.record)
    row = get_object_or_404(rows, pk=row_id)
    sheet = RunSheet(found, request.user)
    if row.on_at is None:
        texts = texts_of(row) | {"on_at": wall_now(sheet).isoformat(timespec="minutes")}
        for name in ("reason", "action"):
            if request.POST.get(name):
                texts[name] = str(request.POST[name])
        _save(request, sheet, Interruption, texts, row)
    return back_to(found, "interruption")


def _save(
    request: StaffRequest,
    sheet: RunSheet,
    table: Any,
    texts: dict[str, str],
    row: Any = None,
) -> None:
    entry = read_texts(table, texts)
    try:
        save_row(
            record=sheet.record,
            group=table,
            entry=entry,
            by=request.user,
            row_id=row.pk if row else None,
            base_version=row.version if row else 0,
        )
    except NotPermittedError:
        raise
    except DomainError as error:
        messages.error(request, str(error))


@requires(Capability.ENTER_DATA)
@require_POST
def confirm(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One comment confirms the values of an episode: readings by items (decisions C1)."""
    found = session_of(request, pk)
    comment = request.POST.get("comment", "").strip()[:500]
    chosen: dict[str, list[str]] = {}
    for key in request.POST.getlist("value"):
        row_id, _dot, name = key.partition(".")
        chosen.setdefault(row_id, []).append(name)
    if not comment or not chosen:
        said = _("Choose the values and write what explains them.")
        return sheet_page(
            request, found, status=422, confirm_errors=[said], confirm_comment=comment
        )
    rows = SessionReading.objects.visible_to(request.user).filter(
        record=found.record, voided_at=None
    )
    try:
        with transaction.atomic():
            for row in rows.order_by("number"):
                names = chosen.get(str(row.pk), [])
                if names:
                    _confirm(request, found, row, names, comment)
    except NotPermittedError:
        raise
    except DomainError as error:
        return sheet_page(
            request, found, status=422, confirm_errors=[str(error)], confirm_comment=comment
        )
    return back_to(found, "complete")


def _confirm(
    request: StaffRequest,
    found: TreatmentSession,
    row: SessionReading,
    names: list[str],
    comment: str,
) -> None:
    texts = texts_of(row)
    texts |= {f"{name}.confirm": comment for name in names if texts.get(name)}
    save_row(
        record=found.record,
        group=SessionReading,
        entry=read_texts(SessionReading, texts),
        by=request.user,
        row_id=row.pk,
        base_version=row.version,
        reason=reason_of(request) or comment,
    )
