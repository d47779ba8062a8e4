"""Pages of importing: how a laboratory's files are read, what a file would do, taking it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires, requires_by_method
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.exports.reading.limits import MOST_BYTES
from trialsite.exports.reading.mappings import MappingError
from trialsite.labs.importing.mapping import stored_mapping
from trialsite.labs.importing.models import ImportState, LabFileMapping, LabImport
from trialsite.labs.importing.outcomes import SETTLED, WORDS, Outcome
from trialsite.labs.importing.planning import Plan
from trialsite.labs.importing.reporting import basis_of, csv_of, report_of
from trialsite.labs.models import Laboratory
from trialsite.labs.selectors import labs_of
from trialsite.labs.services.imports import (
    AT_ONCE,
    AlreadyImportedError,
    choose,
    compare_again,
    discard_import,
    is_current,
    plan_now,
    prepare_import,
)
from trialsite.labs.services.mappings import keep_mapping, mapping_of
from trialsite.labs.services.taking import StaleImportError, accept_import, take_back

ACCEPTED = ".csv,.tsv,.txt,.xlsx,.xls"
_LISTED = 100


def _imports(request: StaffRequest, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
    rows = LabImport.objects.visible_to(request.user, capability)
    return rows.select_related(
        "laboratory__site", "mapping", "prepared_by", "accepted_by", "discarded_by", "asked_by"
    )


def _found(request: StaffRequest, pk: uuid.UUID) -> LabImport:
    found: LabImport = get_object_or_404(_imports(request), pk=pk)
    return found


def _may_prepare(request: StaffRequest, site_id: int) -> bool:
    wanted = (Capability.ENTER_DATA, Capability.MANAGE_LABS)
    return any(request.user.can(each, site=site_id) for each in wanted)


@requires_by_method(get=Capability.VIEW_CASEBOOK, post=Capability.VIEW_CASEBOOK)
@require_http_methods(["GET", "HEAD", "POST"])
def imports(request: StaffRequest) -> HttpResponse:
    """The files that came, the waiting ones first; a POST prepares one more."""
    return _upload(request) if request.method == "POST" else _list(request)


def _list(request: StaffRequest, error: str = "") -> HttpResponse:
    stated = set(
        LabFileMapping.objects.visible_to(request.user).values_list("laboratory_id", flat=True)
    )
    own = [e for e in labs_of(request.user) if e.active and _may_prepare(request, e.site_id)]
    rows = list(_imports(request).order_by("-prepared_at")[:_LISTED])
    context = {
        "waiting": [each for each in rows if each.is_open],
        "others": [each for each in rows if not each.is_open],
        "laboratories": [each for each in own if each.pk in stated],
        "unstated": [each for each in own if each.pk not in stated],
        "may_manage": request.user.can(Capability.MANAGE_LABS),
        "accepted": ACCEPTED,
        "megabytes": MOST_BYTES // 1024**2,
        "chosen": request.POST.get("laboratory", ""),
        "error": error,
    }
    return render(request, "labs/imports.html", context, status=422 if error else 200)


def _upload(request: StaffRequest) -> HttpResponse:
    file, key = request.FILES.get("file"), request.POST.get("laboratory", "")
    own = {str(each.pk): each for each in labs_of(request.user) if each.active}
    laboratory = own.get(key)
    if laboratory is None:
        return _list(request, _("Choose the laboratory that the file comes from."))
    if file is None:
        return _list(request, _("Choose a file."))
    try:
        made = prepare_import(
            laboratory=laboratory,
            content=file.read(MOST_BYTES + 1),
            filename=file.name or "",
            by=request.user,
        )
    except AlreadyImportedError as known:
        messages.info(request, str(known))
        return redirect("labs:import", known.found.pk)
    except NotPermittedError:
        raise
    except DomainError as refused:
        return _list(request, str(refused))
    return redirect("labs:import", made.pk)


@requires_by_method(get=Capability.VIEW_CASEBOOK, post=Capability.ENTER_DATA)
@require_http_methods(["GET", "HEAD", "POST"])
def prepared(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """What a file would do, line by line where a person is needed; a POST keeps choices."""
    found = _found(request, pk)
    if request.method == "POST":
        return _keep_choices(request, found)
    return _page(request, found)


def _keep_choices(request: StaffRequest, found: LabImport) -> HttpResponse:
    said = {
        name.removeprefix("choice."): str(text)
        for name, text in request.POST.items()
        if name.startswith("choice.")
    }
    everything = request.POST.get("leave_all", "")
    whole = [each for each in Outcome if each == everything]
    try:
        choose(found=found, choices=said, leave_all=whole, by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
    return redirect("labs:import", found.pk)


def _page(
    request: StaffRequest, found: LabImport, error: str = "", status: int = 200
) -> HttpResponse:
    report, digest, outdated = _present(found)
    groups = [
        {
            "outcome": outcome.value,
            "word": WORDS[outcome],
            "count": report["counts"].get(outcome.value, 0),
            "settled": outcome in SETTLED,
            "items": [each for each in report["items"] if each["outcome"] == outcome.value],
        }
        for outcome in WORDS
    ]
    waits = found.state == ImportState.ACCEPTING
    enters = request.user.can(Capability.ENTER_DATA, site=found.site_id)
    context = {
        "found": found,
        "report": report,
        "digest": digest,
        "groups": [each for each in groups if each["count"]],
        "sections": [each for each in groups if each["items"]],
        "may_take": found.is_open and enters,
        "may_take_back": waits and enters,
        "may_discard": (found.is_open or waits) and _may_prepare(request, found.site_id),
        "may_compare": found.is_open and _may_prepare(request, found.site_id),
        "compares_people": stored_mapping(found.mapping.text).compares_people,
        "outdated": outdated,
        "reason": request.POST.get("reason", ""),
        "error": error,
        "waits": waits,
    }
    return render(request, "labs/import.html", context, status=status)


def _present(found: LabImport) -> tuple[dict[str, Any], str, bool]:
    """The comparison to show, its digest, and whether the casebook has changed since.

    It is made anew where it has, unless the file is too large for that.
    """
    if not found.is_open or is_current(found):
        return found.report, found.digest, False
    if found.report["lines"] > AT_ONCE:
        return found.report, found.digest, True
    plan = plan_now(found)
    return report_of(basis_of(plan), plan.choices), plan.digest, False


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def lines(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Every line of the file with its outcome, as a file."""
    found = _found(request, pk)
    try:
        plan: Plan = plan_now(found)
    except DomainError as refused:
        messages.error(request, str(refused))
        return redirect("labs:import", pk)
    response = HttpResponse("\ufeff" + csv_of(plan), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="lab-import-{found.pk}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def _act(request: HttpRequest, found: LabImport, act: Callable[[], object]) -> HttpResponse:
    try:
        act()
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
    return redirect("labs:import", found.pk)


@requires(Capability.VIEW_CASEBOOK)
@require_POST
def compare(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Compare a file anew with what stands now."""
    found = _found(request, pk)
    return _act(request, found, lambda: compare_again(found=found, by=request.user))


@requires(Capability.ENTER_DATA)
@require_POST
def accept(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take the file into the casebook, all that is settled or nothing."""
    found = _found(request, pk)
    try:
        taken = accept_import(
            found=found,
            digest=request.POST.get("digest", ""),
            reason=request.POST.get("reason", ""),
            at_once=False,
            by=request.user,
        )
    except AlreadyImportedError as known:
        messages.info(request, str(known))
        return redirect("labs:import", found.pk)
    except NotPermittedError:
        raise
    except StaleImportError as stale:
        return _page(request, _found(request, pk), str(stale), status=409)
    except DomainError as refused:
        return _page(request, _found(request, pk), str(refused), status=422)
    if taken.state == ImportState.ACCEPTED:
        text = _("%(n)d results are in the casebook.") % {"n": taken.report["writes"]}
        messages.success(request, text)
    return redirect("labs:import", found.pk)


@requires(Capability.ENTER_DATA)
@require_POST
def return_to_site(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Take a file back from the worker that has not begun with it."""
    found = _found(request, pk)
    return _act(request, found, lambda: take_back(found=found, by=request.user))


@requires(Capability.VIEW_CASEBOOK)
@require_POST
def discard(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Put a file away that waits; nothing of it is written."""
    found = _found(request, pk)
    reason = request.POST.get("reason", "")
    return _act(request, found, lambda: discard_import(found=found, reason=reason, by=request.user))


@requires_by_method(get=Capability.VIEW_CASEBOOK, post=Capability.MANAGE_LABS)
@require_http_methods(["GET", "HEAD", "POST"])
def mapping(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """How the files of a laboratory are read; a POST states it anew."""
    seen = Laboratory.objects.visible_to(request.user).select_related("site")
    laboratory = get_object_or_404(seen, pk=pk)
    present, problems, text = mapping_of(laboratory), (), request.POST.get("text", "")
    if request.method == "POST":
        try:
            kept = keep_mapping(laboratory=laboratory, text=text, by=request.user)
        except MappingError as error:
            problems = error.problems  # type: ignore[assignment]
        else:
            messages.success(
                request, _("Files are read by version %(n)d from now on.") % {"n": kept.version}
            )
            return redirect("labs:mapping", pk)
    else:
        text = present.text if present else EXAMPLE
    history = LabFileMapping.objects.visible_to(request.user).filter(laboratory=laboratory)
    context = {
        "laboratory": laboratory,
        "present": present,
        "text": text,
        "problems": problems,
        "compares_people": present is None or stored_mapping(present.text).compares_people,
        "history": history.select_related("created_by"),
        "may_manage": request.user.can(Capability.MANAGE_LABS, site=laboratory.site_id),
        "rows": min(max(text.count("\n") + 2, 18), 40),
    }
    return render(request, "labs/mapping.html", context, status=422 if problems else 200)


#: What an empty page begins with: one result a row, with everything that can be said.
EXAMPLE = """\
layout:
  # encoding: gb18030        # else told from the file: UTF-8, UTF-16 or GB18030
  # delimiter: comma         # comma, tab, semicolon, pipe; else told from the header
  # sheet: Results           # of a workbook; else the first
  # header_row: 1
  # decimal: comma           # else the point
  dates: [YYYY-MM-DD HH:mm]
  missing: ["-", n/a]
columns:
  subject: Subject
  collected: Drawn at
  analyte: Test
  result: Result
  unit: Unit
  # comparator: Sign
  # specimen: Specimen
  # specimen_ref: Barcode    # the number of the tube, as the laboratory prints it
  # laboratory: Laboratory
  # sex: Sex                 # compared with the casebook, never stored
  # born: Born
specimen: SERUM
# zone: Asia/Shanghai        # of the file's clock; else the site's
# zero_is_missing: [AFP]
# analytes: {Bili gesamt: BILI}
# units: {umol: umol/L}
# specimens: {Serum: SERUM}
# sexes: {male: M, female: F}
# A file with one draw a row has, instead of analyte, result and unit:
# results:
#   Bilirubin (umol/L): {analyte: BILI, unit: umol/L}
"""
