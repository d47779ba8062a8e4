"""The form at the bedside: enter, leave, come back, complete, change with a reason."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from trialsite.access.capabilities import Capability
from trialsite.access.errors import problem_response
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject
from trialsite.casebook.services import mark_not_done, open_record, void_record
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError
from trialsite.crf.entry import read_texts, texts_of
from trialsite.crf.items import all_items_of
from trialsite.crf.models import CrfRow
from trialsite.crf.onward import go_on
from trialsite.crf.pages import (
    CHANGE_REASONS,
    EntryPage,
    RowAsRead,
    labels_of,
    page_of,
    page_of_row,
    part_of,
    parts_of,
    queries_of,
    show_conflict,
    visit_name,
)
from trialsite.crf.posting import act_on, base_of, clean, integer, reason_of
from trialsite.crf.registry import Form, form, forms
from trialsite.crf.services import (
    IncompleteError,
    ReasonRequiredError,
    Saved,
    close_draft,
    discard_draft,
    save_crf,
    save_draft,
    save_row,
    void_row,
)
from trialsite.crf.violations import ImpossibleError
from trialsite.review.models import Query
from trialsite.review.services import answer_query, close_query, raise_query, reopen_query

#: `<group OID>/<row id>`: longer than any there is.
MAX_PART = 80


def record_of(request: StaffRequest, pk: uuid.UUID) -> CrfRecord:
    """The record, if the person may see it; any other is not there."""
    visible = CrfRecord.objects.visible_to(request.user)
    return get_object_or_404(
        visible.select_related("subject", "visit", "site", "completed_by"), pk=pk
    )


def _group_of(record: CrfRecord, group_oid: str) -> type[CrfRow]:
    for group in form(record.form_oid).groups:
        if group.group_oid == group_oid:
            return group
    raise Http404


@requires(Capability.VIEW_CASEBOOK)
@require_http_methods(["GET", "HEAD", "POST"])
def record(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A form's page; a POST saves it, or completes it and goes on.

    A companion's record opens on the page of its own app.
    """
    found = record_of(request, pk)
    if own := form(found.form_oid).page:
        return redirect(own, found.pk)
    page = page_of(found, request.user)
    if request.method != "POST" or page is None:
        return _render(request, found, page)
    return _post(
        request,
        page,
        lambda entry, version: save_crf(
            record=found,
            entry=entry,
            by=request.user,
            base_version=version,
            complete=request.POST.get("action") == "complete",
            reason=reason_of(request),
        ),
    )


@requires(Capability.VIEW_CASEBOOK)
@require_http_methods(["GET", "HEAD", "POST"])
def row(
    request: StaffRequest, pk: uuid.UUID, group: str, row_id: uuid.UUID | None = None
) -> HttpResponse:
    """One row of a repeating item group, or a new one."""
    found = record_of(request, pk)
    table = _group_of(found, group)
    existing = get_object_or_404(table, record=found, pk=row_id) if row_id else None
    page = page_of_row(found, table, existing, request.user)
    if request.method != "POST":
        return _render(request, found, page)
    return _post(
        request,
        page,
        lambda entry, version: save_row(
            record=found,
            group=table,
            entry=entry,
            by=request.user,
            row_id=row_id,
            base_version=version,
            reason=reason_of(request),
        ),
        part=part_of(table, existing),
    )


def _post(request: StaffRequest, page: EntryPage, save: Any, *, part: str = "") -> HttpResponse:
    """Save what was posted; whatever is refused comes back with every keystroke in place.

    A page that comes back keeps the version it was made from: only who has been shown
    what stands now may save over it.
    """
    stands = texts_of(page.row)
    page.texts = posted = _posted(request, stands)
    page.theirs, page.version = {}, integer(request.POST.get("version", ""))
    page.base = base_of(request)
    page.token = request.POST.get("page", "")[:36] or page.token
    entry = read_texts(page.table, posted)
    page.errors = entry.errors
    if not entry.errors:
        try:
            saved = save(entry, page.version)
        except StaleError as error:
            theirs = {name: str(text) for name, text in error.current.items()}
            show_conflict(page, posted=posted, theirs=theirs, version=error.version)
        except NotPermittedError:
            raise
        except DomainError as error:
            _explain(page, error)
        else:
            close_draft(record=page.record, by=request.user, part=part, page=page.token)
            return _go_on(request, saved)
    status = 409 if page.theirs else 422
    return _render(request, page.record, page, status=status)


def _explain(page: EntryPage, error: DomainError) -> None:
    match error:
        case ImpossibleError():
            page.errors = error.errors
        case IncompleteError():
            page.errors = {name: [message] for name, message in error.problems.items()}
        case _:
            page.errors = {"": [str(error)]}
            page.needs_reason = isinstance(error, ReasonRequiredError)


def _posted(request: StaffRequest, stands: dict[str, str]) -> dict[str, str]:
    """The page's fields as posted; where the other value was chosen, all its parts as stored."""
    not_fields = {"csrfmiddlewaretoken", "version", "page", "base", "action"}
    texts = {
        name: clean(name, str(value))
        for name, value in request.POST.items()
        if not name.endswith(".keep") and not name.startswith("reason_") and name not in not_fields
    }
    for name, choice in request.POST.items():
        if name.endswith(".keep") and choice == "theirs":
            texts |= {part: stands.get(part, "") for part in parts_of(name.removesuffix(".keep"))}
    return texts


def _go_on(request: StaffRequest, saved: Saved) -> HttpResponse:
    """After completion what comes next; after a save the same page."""
    here = saved.record
    if isinstance(saved.row, CrfRow):
        messages.success(request, _("Row %(number)d saved.") % {"number": saved.row.number})
    elif here.status == RecordStatus.COMPLETE:
        return go_on(request, here, page="crf:record", asked=bool(saved.asked))
    else:
        messages.success(request, _("Saved. The form is not complete yet."))
    return redirect("crf:record", here.pk)


def _render(
    request: StaffRequest, found: CrfRecord, page: EntryPage | None, *, status: int = 200
) -> HttpResponse:
    definition = form(found.form_oid)
    queries = queries_of(found, definition)
    if page is not None:
        page.queries = queries
    may_enter = request.user.can(Capability.ENTER_DATA, site=found.site_id)
    context = {
        "record": found,
        "form": definition,
        "page": page,
        "may_enter": may_enter and not found.is_closed,
        "may_read_trail": request.user.can(Capability.VIEW_TRAIL, site=found.site_id),
        "may_ask": request.user.can(Capability.RAISE_QUERY, site=found.site_id),
        "may_answer": request.user.can(Capability.ANSWER_QUERY, site=found.site_id),
        "may_close": request.user.can(Capability.CLOSE_QUERY, site=found.site_id),
        "groups": [] if page and issubclass(page.table, CrfRow) else _groups(found, definition),
        "fields": page.fields() if page else "",
        "visit_name": visit_name(found),
        "queries": queries,
        "askable": [(oid, label) for oid, label in labels_of(definition).items()],
        "reasons": CHANGE_REASONS,
        "row": page.row if page and issubclass(page.table, CrfRow) else None,
        "part": _part(page),
    }
    return render(request, "crf/record.html", context, status=status)


def _part(page: EntryPage | None) -> str:
    if page is None or not issubclass(page.table, CrfRow):
        return ""
    return part_of(page.table, page.row)  # type: ignore[arg-type]


def _groups(found: CrfRecord, definition: Form) -> list[dict[str, Any]]:
    """Each repeating group with its rows as read."""
    return [
        {
            "group": group,
            "labels": [item.label for item in all_items_of(group).values()],
            "rows": [
                RowAsRead.of(row) for row in group.objects.filter(record=found).order_by("number")
            ],
        }
        for group in definition.groups
    ]


@requires(Capability.ENTER_DATA)
@require_POST
def draft(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Keep the fields typed since the last time; the page asks for it as the person types."""
    found, part = record_of(request, pk), request.POST.get("part", "")
    texts = {
        name: str(value).replace("\x00", "")
        for name, value in request.POST.items()
        if name not in {"version", "part", "page", "base", "csrfmiddlewaretoken"}
    }
    if len(part) > MAX_PART:
        return problem_response(400)
    try:
        kept = save_draft(
            record=found,
            texts=texts,
            by=request.user,
            base_version=max(integer(request.POST.get("version", "")), 0),
            part=part,
            page=request.POST.get("page", "")[:36],
        )
    except NotPermittedError:
        raise
    except DomainError as error:
        return problem_response(409, str(error))
    return JsonResponse({"saved_at": kept.saved_at.isoformat(), "fields": len(texts)})


@requires(Capability.ENTER_DATA)
@require_POST
def discard(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Throw the own draft away and show what is stored."""
    found = record_of(request, pk)
    discard_draft(record=found, by=request.user, part=request.POST.get("part", ""))
    messages.info(request, _("Your draft is discarded; the page shows what is saved."))
    return redirect("crf:record", found.pk)


@requires(Capability.ENTER_DATA)
@require_POST
def not_done(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """The whole form was not done, and why."""
    found, reason = record_of(request, pk), request.POST.get("reason", "")
    return act_on(
        request,
        found,
        lambda: mark_not_done(record=found, reason=reason, by=request.user),
        _("The form is marked as not done."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def void(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take the record out of the casebook, with a reason."""
    found, reason = record_of(request, pk), request.POST.get("reason", "")
    return act_on(
        request,
        found,
        lambda: void_record(record=found, reason=reason, by=request.user),
        _("The record is voided. It stays in the trail."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def row_void(request: StaffRequest, pk: uuid.UUID, group: str, row_id: uuid.UUID) -> HttpResponse:
    """Take one row out of its group, with a reason."""
    found = record_of(request, pk)
    table, reason = _group_of(found, group), request.POST.get("reason", "")
    get_object_or_404(table, record=found, pk=row_id)
    return act_on(
        request,
        found,
        lambda: void_row(record=found, group=table, row_id=row_id, reason=reason, by=request.user),
        _("The row is voided. It stays in the trail."),
    )


@requires(Capability.ENTER_DATA)
@require_POST
def open_new(request: StaffRequest, pk: uuid.UUID, slug: str) -> HttpResponse:
    """Start one more record of a repeating form."""
    subject = get_object_or_404(Subject.objects.visible_to(request.user), pk=pk)
    definition = next((each for each in forms().values() if each.slug == slug), None)
    if definition is None or not definition.startable:
        raise Http404
    opened = open_record(subject=subject, form_oid=definition.oid, by=request.user)
    return redirect("crf:record", opened.pk)


@requires(Capability.RAISE_QUERY)
@require_POST
def ask(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Raise a query on an item of the record."""
    found, text = record_of(request, pk), request.POST.get("text", "").strip()
    if not text:
        messages.error(request, _("Write what you ask."))
        return redirect("crf:record", found.pk)
    item_oid = request.POST.get("item", "")
    return act_on(
        request,
        found,
        lambda: raise_query(record=found, item_oid=item_oid, text=text, by=request.user),
        _("The query is raised."),
    )


QUERY_ACTS = {"answer": answer_query, "close": close_query, "reopen": reopen_query}


@requires(Capability.VIEW_CASEBOOK)
@require_POST
def query(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Answer, close or reopen a query."""
    found = get_object_or_404(
        Query.objects.visible_to(request.user).select_related("record"), pk=pk
    )
    act, text = QUERY_ACTS.get(request.POST.get("act", "")), request.POST.get("text", "").strip()
    if act is None or not text:
        messages.error(request, _("Write your answer."))
        return redirect(f"{reverse('crf:record', args=[found.record_id])}#query-{found.pk}")
    return act_on(
        request,
        found.record,
        lambda: act(query=found, text=text, by=request.user),
        _("The query is updated."),
    )
