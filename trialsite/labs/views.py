"""The page of one draw: enter, paste, judge, complete, change with a reason."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject, Visit
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError
from trialsite.core.units import unit_label
from trialsite.crf.onward import go_on
from trialsite.crf.pages import CHANGE_REASONS, labels_of, queries_of, visit_name
from trialsite.crf.posting import act_on, base_of, clean, integer, reason_of
from trialsite.crf.registry import form
from trialsite.crf.services import IncompleteError, ReasonRequiredError, close_draft
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.background import background_of
from trialsite.labs.codes import FORM_OID, ResultFlag, Significance, Specimen, Timepoint, item_oid
from trialsite.labs.entry import HEADER, MARKS, STATED
from trialsite.labs.models import LabPanel, LabResult, digits
from trialsite.labs.names import said
from trialsite.labs.pages import (
    HEADER_LABELS,
    Grid,
    PanelPage,
    differing,
    in_words,
    meet,
    page_of,
    short,
    slip_question,
    stored_texts,
    without_idle_parts,
)
from trialsite.labs.people import person_of
from trialsite.labs.score_lines import score_lines
from trialsite.labs.selectors import labs_of
from trialsite.labs.services.panels import (
    SavedPanel,
    mark_panel_not_done,
    open_panel,
    retake_ranges,
    save_panel,
    void_result,
)
from trialsite.labs.sheet import Sheet

_BESIDE = {"csrfmiddlewaretoken", "version", "page", "base", "action", "block"}


def lab_record(request: StaffRequest, pk: uuid.UUID) -> CrfRecord:
    """The lab record, if the person may see it; any other is not there."""
    visible = CrfRecord.objects.visible_to(request.user).filter(form_oid=FORM_OID)
    return get_object_or_404(
        visible.select_related("subject", "visit", "site", "completed_by"), pk=pk
    )


def posted_texts(request: StaffRequest) -> dict[str, str]:
    """The page's fields as posted, without presets of rows that hold nothing."""
    texts = {
        name: clean(name, str(value))
        for name, value in request.POST.items()
        if not name.endswith(".keep") and not name.startswith("reason_") and name not in _BESIDE
    }
    return without_idle_parts(texts)


@requires(Capability.VIEW_CASEBOOK)
@require_http_methods(["GET", "HEAD", "POST"])
def panel(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A draw's page; a POST saves it, or completes it and goes on."""
    found = lab_record(request, pk)
    if request.method != "POST":
        return _render(request, page_of(found, request.user))
    page = posted_page(request, found)
    grid = Grid(page, [])
    if grid.entry.errors:
        page.errors = grid.entry.errors
        return _render(request, page, status=422)
    try:
        saved = save_panel(
            record=found,
            entry=grid.entry,
            by=request.user,
            base_version=page.version,
            complete=request.POST.get("action") == "complete",
            reason=reason_of(request),
        )
    except StaleError as error:
        return _conflict(request, page, error)
    except NotPermittedError:
        raise
    except DomainError as error:
        _explain(page, error)
        if isinstance(error, IncompleteError):
            grid.ask_anew()
        return _render(request, page, status=422)
    close_draft(record=found, by=request.user, part="", page=page.token)
    return _go_on(request, saved)


def posted_page(request: StaffRequest, found: CrfRecord) -> PanelPage:
    """The page as it was posted; where the other's value was chosen, as it stands."""
    stored = stored_texts(Sheet(found))
    texts = posted_texts(request)
    for name, choice in request.POST.items():
        if name.endswith(".keep") and choice == "theirs":
            group = name.removesuffix(".keep")
            texts = {n: t for n, t in texts.items() if n != group and not n.startswith(f"{group}.")}
            texts |= {n: t for n, t in stored.items() if n == group or n.startswith(f"{group}.")}
    page = PanelPage(found, texts, base_of(request), integer(request.POST.get("version", "")))
    page.token = request.POST.get("page", "")[:36] or page.token
    return page


def _conflict(request: StaffRequest, page: PanelPage, error: StaleError) -> HttpResponse:
    theirs = {name: str(text) for name, text in error.current.items()}
    typed = differing({**dict.fromkeys(page.base, ""), **page.texts}, page.base)
    meet(page, typed=typed, theirs=theirs, base=page.base)
    page.base, page.version = theirs, error.version
    return _render(request, page, status=409)


def _explain(page: PanelPage, error: DomainError) -> None:
    match error:
        case ImpossibleError():
            page.errors = error.errors
        case IncompleteError():
            page.errors = {name: [message] for name, message in error.problems.items()}
        case _:
            page.errors = {"": [str(error)]}
            page.needs_reason = isinstance(error, ReasonRequiredError)


def _go_on(request: StaffRequest, saved: SavedPanel) -> HttpResponse:
    here = saved.record
    if here.status != RecordStatus.COMPLETE:
        messages.success(request, _("Saved. The form is not complete yet."))
        return redirect("labs:panel", here.pk)
    return go_on(request, here, page="labs:panel", asked=bool(saved.asked))


def _render(request: StaffRequest, page: PanelPage, *, status: int = 200) -> HttpResponse:
    found, definition = page.record, form(FORM_OID)
    queries = queries_of(found, definition)
    grid = Grid(page, queries)
    lines, more = grid.lines()
    user = request.user
    sheet = grid.sheet
    context = {
        "record": found,
        "form": definition,
        "page": page,
        "grid": grid,
        "lines": lines,
        "more": more,
        "head": _head(request, page, grid),
        "may_enter": user.can(Capability.ENTER_DATA, site=found.site_id) and not found.is_closed,
        "may_read_trail": user.can(Capability.VIEW_TRAIL, site=found.site_id),
        "may_ask": user.can(Capability.RAISE_QUERY, site=found.site_id),
        "may_answer": user.can(Capability.ANSWER_QUERY, site=found.site_id),
        "may_close": user.can(Capability.CLOSE_QUERY, site=found.site_id),
        "visit_name": visit_name(found),
        "queries": queries,
        "askable": [*labels_of(definition).items(), *_askable(grid)],
        "reasons": CHANGE_REASONS,
        "scores": score_lines(
            sheet.results,
            person_of(found.subject_id).sex,
            background_of(found.subject_id, sheet.drawn_at),
        ),
        "hours": digits(grid.hours),
        "outdated": _outdated(found),
        "draws": _draws(found),
    }
    return render(request, "labs/panel.html", context, status=status)


def _askable(grid: Grid) -> list[tuple[str, str]]:
    return [(item_oid(key), grid.names[key]) for key in grid.sheet.results if key in grid.names]


def _outdated(record: CrfRecord) -> int:
    """How many results the register would judge otherwise today."""
    sheet = Sheet(record)
    return 0 if sheet.is_new else len(sheet.retake().changed)


def _draws(record: CrfRecord) -> list[CrfRecord]:
    """The draws of the same visit, this one among them."""
    same = CrfRecord.objects.standing().filter(
        subject_id=record.subject_id, visit=record.visit, form_oid=FORM_OID
    )
    return list(same.order_by("repeat_key"))


def _head(request: StaffRequest, page: PanelPage, grid: Grid) -> dict[str, Any]:
    """The draw's own fields, as the template shows them."""
    texts = page.texts
    own = labs_of(request.user).filter(site_id=page.record.site_id)
    return {
        "labels": {name: str(label) for name, label in HEADER_LABELS.items()},
        "errors": {name: page.errors[name] for name in (*HEADER, "panels") if name in page.errors},
        "laboratories": [
            (lab.code, lab, lab.code == texts.get("laboratory"))
            for lab in own
            if lab.active or lab.code == texts.get("laboratory")
        ],
        "choices": {
            name: [(code, word, texts.get(name, "") == code) for code, word in choices]
            for name, choices in (
                ("specimen", Specimen.choices),
                ("timepoint", Timepoint.choices),
                ("significance", Significance.choices),
            )
        },
        "stated": [(name, HEADER_LABELS[name], texts.get(name, "")) for name in STATED],
        "marks": [(name, HEADER_LABELS[name], bool(texts.get(name))) for name in MARKS],
        "panels": [
            (each.key, said(each.name), bool(texts.get(f"panel.{each.key}")))
            for each in grid.sheet.protocol.labs.panels
        ],
        "conflicts": [
            (
                name,
                HEADER_LABELS.get(name, name),
                in_words(texts, name),
                in_words(page.theirs, name),
            )
            for name in sorted(page.conflicts)
            if not name[:1].isupper()
        ],
    }


@requires(Capability.ENTER_DATA)
@require_POST
def look(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One row as a save would read it, for the page's script: nothing is kept by it."""
    found = lab_record(request, pk)
    key = request.POST.get("analyte", "")
    page = PanelPage(found, posted_texts(request), {}, found.version)
    page.texts.pop("analyte", None)
    grid = Grid(page, [])
    errors = grid.entry.errors.get(key, [])
    row = grid.sheet.results.get(key)
    if errors or row is None or key not in grid.sheet.analytes:
        return JsonResponse({"error": " ".join(errors)})
    line = next(each for each in grid.lines()[0] if each.key == key)
    doubt = grid.sheet.doubt(key)
    return JsonResponse(
        {
            "canonical": line.canonical,
            "range": line.range,
            "flag": line.flag,
            "word": str(ResultFlag(line.flag).label) if line.flag else "",
            "grade": line.grade,
            "question": slip_question(row, doubt.slip.suggested_unit) if doubt.slip else "",
            "unit": doubt.slip.suggested_unit if doubt.slip else "",
            "would_be": f"{short(doubt.slip.suggested_canonical)} {unit_label(row.canonical_unit)}"
            if doubt.slip
            else "",
            "confirm": bool(doubt),
            "warning": line.warning,
        }
    )


@requires(Capability.ENTER_DATA)
@require_POST
def not_done(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Nothing was drawn, and why."""
    found, reason = lab_record(request, pk), request.POST.get("reason", "")
    return act_on(
        request,
        found,
        lambda: mark_panel_not_done(record=found, reason=reason, by=request.user),
        _("The panel is marked as not done."),
        page="labs:panel",
    )


@requires(Capability.ENTER_DATA)
@require_POST
def retake(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Judge the panel by the ranges as the register has them now."""
    found, reason = lab_record(request, pk), request.POST.get("reason", "")
    return act_on(
        request,
        found,
        lambda: retake_ranges(
            record=found,
            by=request.user,
            base_version=integer(request.POST.get("version", "")),
            reason=reason,
        ),
        _("The ranges are taken anew."),
        page="labs:panel",
    )


@requires(Capability.ENTER_DATA)
@require_POST
def void(request: StaffRequest, pk: uuid.UUID, result_id: uuid.UUID) -> HttpResponse:
    """Take one result out, with a reason."""
    found, reason = lab_record(request, pk), request.POST.get("reason", "")
    rows = LabResult.objects.visible_to(request.user).select_related("panel__record")
    row = get_object_or_404(rows, panel_id=found.pk, pk=result_id)
    return act_on(
        request,
        found,
        lambda: void_result(result=row, reason=reason, by=request.user),
        _("The result is voided. It stays in the trail."),
        page="labs:panel",
    )


@requires(Capability.ENTER_DATA)
@require_POST
def draw_again(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """One more draw at the visit of this one (or outside visits, as this one)."""
    found = lab_record(request, pk)
    opened = open_panel(
        subject=found.subject,
        visit_id=found.visit_id,
        protocol_version=found.protocol_version,
        by=request.user,
    )
    return redirect("labs:panel", opened.pk)


@requires(Capability.ENTER_DATA)
@require_POST
def draw_at_visit(request: StaffRequest, visit_id: uuid.UUID) -> HttpResponse:
    """The first or one more draw at a visit."""
    visits = Visit.objects.visible_to(request.user).select_related("subject", "protocol_version")
    visit = get_object_or_404(visits, pk=visit_id)
    opened = open_panel(
        subject=visit.subject,
        visit_id=visit.pk,
        protocol_version=visit.protocol_version,
        by=request.user,
    )
    return redirect("labs:panel", opened.pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def of_subject(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A subject's draws, the newest first, with what purified the blood between them."""
    mine = Subject.objects.visible_to(request.user).select_related("site")
    subject = get_object_or_404(mine, pk=pk)
    panels = LabPanel.objects.visible_to(request.user).filter(
        subject=subject, record__voided_at=None
    )
    counted = panels.select_related("record__visit", "laboratory").annotate(
        count=Count("results", filter=Q(results__voided_at=None))
    )
    context = {
        "subject": subject,
        "draws": [(each, visit_name(each.record)) for each in counted.order_by("-collected_at")],
        "intervals": subject.purifications.order_by("-started_at"),
        "may_enter": request.user.can(Capability.ENTER_DATA, site=subject.site_id),
    }
    return render(request, "labs/subject.html", context)
