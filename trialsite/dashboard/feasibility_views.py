"""Pages of feasibility: a spreadsheet, how it is read, what the criteria say of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import SITE_KEY, StaffRequest, requires
from trialsite.access.models import Site
from trialsite.access.signing import zone_of
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.selectors import current_version
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.dashboard.feasibility.pages import (
    result_context,
    saved_context,
    survival_context,
)
from trialsite.dashboard.feasibility.proposing import propose
from trialsite.dashboard.feasibility.result import Result, packed, unpacked
from trialsite.dashboard.feasibility.running import RowsError, run
from trialsite.dashboard.feasibility.sandbox import FILE, MAPPING, OPTIONS, RESULT, Sandbox
from trialsite.dashboard.feasibility.saying import Words, chosen, write_csv
from trialsite.dashboard.feasibility.services import LONGEST_NAME, save_feasibility
from trialsite.dashboard.models import SavedFeasibility
from trialsite.exports.reading.mappings import MappingError
from trialsite.protocol import Protocol
from trialsite.review.assumptions import confirmed_protocol

ACCEPTED = ".csv,.tsv,.txt,.xlsx,.xls"
#: What the page takes; the command reads larger files.
MOST_BYTES, MOST_ROWS, MOST_TIMES = 5 * 1024 * 1024, 5_000, 2_000
_MOST_MAPPING = 100_000
_PER_PAGE, _LISTED = 50, 50
_SWITCHES = ("as_written", "set_aside")


def _protocol() -> Protocol:
    """The study's present protocol with what is confirmed of it; raises DomainError without."""
    try:
        return confirmed_protocol(current_version().pk)
    except ProtocolVersion.DoesNotExist:
        raise DomainError(_("No protocol version is loaded yet.")) from None


@requires(Capability.TRY_CRITERIA)
@require_http_methods(["GET", "HEAD", "POST"])
def feasibility(request: StaffRequest) -> HttpResponse:
    """Upload a file, with its mapping or without; and what was saved by name before."""
    return _upload(request) if request.method == "POST" else _start(request)


def _start(request: StaffRequest, error: str = "") -> HttpResponse:
    sandbox = Sandbox(request.session)
    rows = SavedFeasibility.objects.visible_to(request.user, Capability.TRY_CRITERIA)
    context = {
        "error": error,
        "accepted": ACCEPTED,
        "megabytes": MOST_BYTES // 1024**2,
        "most_rows": MOST_ROWS,
        "switches": _switches(request),
        "has_result": sandbox.has(RESULT),
        "has_file": sandbox.has(FILE),
        "saved": rows.select_related("site", "saved_by")[:_LISTED],
    }
    return render(request, "dashboard/feasibility.html", context, status=422 if error else 200)


def _switches(request: StaffRequest) -> dict[str, bool]:
    return {name: bool(request.POST.get(name)) for name in _SWITCHES}


def _upload(request: StaffRequest) -> HttpResponse:
    file, described = request.FILES.get("file"), request.FILES.get("mapping")
    if file is None:
        return _start(request, _("Choose a file."))
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        said = _("This file is larger than %(limit)d MB.") % {"limit": MOST_BYTES // 1024**2}
        return _start(request, said)
    try:
        text = _text(described.read(_MOST_MAPPING)) if described else propose(content, _protocol())
    except DomainError as refused:
        return _start(request, str(refused))
    sandbox = Sandbox(request.session)
    sandbox.begin(**{FILE: content, MAPPING: text.encode()})
    if described is None:
        sandbox.hold(**{OPTIONS: _options(request)})
        return redirect("dashboard:feasibility_mapping")
    return _judge(request, sandbox, text)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise DomainError(_("The mapping file is not UTF-8 text.")) from None


def _options(request: StaffRequest) -> bytes:
    return " ".join(name for name, on in _switches(request).items() if on).encode()


def _judge(request: StaffRequest, sandbox: Sandbox, text: str) -> HttpResponse:
    """Judge the held file by this mapping: to its answer, or to everything there is to mend."""
    content = sandbox.part(FILE)
    if content is None:
        return _gone(request)
    sandbox.hold(**{MAPPING: text.encode(), OPTIONS: _options(request)})
    try:
        protocol = _protocol()
        found = run(
            content,
            text,
            protocol,
            today=trial_today(_zone(request)),
            most=MOST_ROWS,
            **_switches(request),
        )
        _expect_drawable(found)
    except MappingError as error:
        return _mapping_page(request, text, mapping_problems=error.problems)
    except RowsError as error:
        return _mapping_page(request, text, rows=error, error=str(error))
    except DomainError as refused:
        return _mapping_page(request, text, error=str(refused))
    sandbox.hold(**{RESULT: packed(found).encode()})
    return redirect("dashboard:feasibility_result" if found.people else _SURVIVAL)


def _zone(request: StaffRequest) -> str:
    """Where the day is counted for rows without one: the site the person works at now, else
    the first of theirs."""
    sites = _sites(request)
    chosen = request.session.get(SITE_KEY)
    return zone_of(request.user, next((each for each in sites if each.pk == chosen), None))


_SURVIVAL = "dashboard:feasibility_survival"


def _expect_drawable(found: Result) -> None:
    if found.times is not None and len(found.times.endings) > MOST_TIMES:
        message = _("This page draws survival of at most %(n)d people; the command takes more.")
        raise DomainError(message % {"n": MOST_TIMES})


def _gone(request: StaffRequest) -> HttpResponse:
    messages.info(request, _("The file is no longer held: an hour has passed. Choose it again."))
    return redirect("dashboard:feasibility")


@requires(Capability.TRY_CRITERIA)
@require_http_methods(["GET", "HEAD", "POST"])
def mapping(request: StaffRequest) -> HttpResponse:
    """How the held file is read; a POST judges it, or gives the mapping as a file."""
    sandbox = Sandbox(request.session)
    if request.method != "POST":
        held = sandbox.part(MAPPING)
        if held is None or not sandbox.has(FILE):
            return _gone(request)
        return _mapping_page(request, held.decode())
    text = request.POST.get("text", "")[:_MOST_MAPPING].replace("\r\n", "\n").replace("\x00", "")
    if not sandbox.has(FILE):
        return _gone(request)
    if "download" in request.POST:
        return _attachment("mapping.yaml", text.encode(), "application/yaml")
    return _judge(request, sandbox, text)


def _mapping_page(request: StaffRequest, text: str, **said: Any) -> HttpResponse:
    sandbox = Sandbox(request.session)
    held = (sandbox.part(OPTIONS) or b"").decode().split()
    context = {
        "text": text,
        "height": min(max(text.count("\n") + 2, 18), 40),
        "switches": {name: name in held for name in _SWITCHES},
        **said,
    }
    return render(
        request, "dashboard/feasibility_mapping.html", context, status=422 if said else 200
    )


@requires(Capability.TRY_CRITERIA)
@require_safe
def mapping_file(request: StaffRequest) -> HttpResponse:
    """The mapping that the answer was made with, as a file for the next time."""
    held = Sandbox(request.session).part(MAPPING)
    if held is None:
        return _gone(request)
    return _attachment("mapping.yaml", held, "application/yaml")


def _attachment(name: str, content: bytes, kind: str) -> HttpResponse:
    response = HttpResponse(content, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def _with_result(
    request: StaffRequest, answer: Callable[[Result, Protocol], HttpResponse]
) -> HttpResponse:
    """Answer from the held result; without one, back to the beginning."""
    held = Sandbox(request.session).part(RESULT)
    return _gone(request) if held is None else answer(unpacked(held.decode()), _protocol())


@requires(Capability.TRY_CRITERIA)
@require_safe
def result(request: StaffRequest) -> HttpResponse:
    """What the criteria say of the file: counts, scores, and the rows behind each number."""

    def answer(found: Result, protocol: Protocol) -> HttpResponse:
        asked = {name: request.GET.get(name, "") for name in ("who", "criterion", "state")}
        rows = Paginator(chosen(found.people, **asked), _PER_PAGE)
        words = Words(found, protocol)
        context = result_context(words, rows.get_page(request.GET.get("page")), asked)
        context["sites"] = _sites(request)
        return render(request, "dashboard/feasibility_result.html", context)

    return _with_result(request, answer)


def _sites(request: StaffRequest) -> list[Site]:
    own = request.user.access.sites(Capability.TRY_CRITERIA)
    return list(Site.objects.filter(pk__in=own))


@requires(Capability.TRY_CRITERIA)
@require_safe
def rows_file(request: StaffRequest) -> HttpResponse:
    """Every row with its verdicts, as CSV."""

    def answer(found: Result, protocol: Protocol) -> HttpResponse:
        response = _attachment("feasibility.csv", b"\xef\xbb\xbf", "text/csv")
        write_csv(response, Words(found, protocol))
        return response

    return _with_result(request, answer)


@requires(Capability.TRY_CRITERIA)
@require_safe
def survival(request: StaffRequest) -> HttpResponse:
    """Survival, transplantation and milestones of the file, by the study's own definitions."""

    def answer(found: Result, protocol: Protocol) -> HttpResponse:
        if found.times is None:
            return redirect("dashboard:feasibility_result")
        context = survival_context(found, found.times, protocol)
        return render(request, "dashboard/feasibility_survival.html", context)

    return _with_result(request, answer)


@requires(Capability.TRY_CRITERIA)
@require_POST
def forget(request: StaffRequest) -> HttpResponse:
    """Let the sandbox be empty now."""
    Sandbox(request.session).forget()
    messages.success(request, _("The file and its answer are gone."))
    return redirect("dashboard:feasibility")


@requires(Capability.TRY_CRITERIA)
@require_POST
def save(request: StaffRequest) -> HttpResponse:
    """Keep the counts under a name; the rows go with the session."""

    def answer(found: Result, protocol: Protocol) -> HttpResponse:
        sites = {str(site.pk): site for site in _sites(request)}
        site = sites.get(request.POST.get("site", "")) or (
            next(iter(sites.values())) if len(sites) == 1 else None
        )
        name = request.POST.get("name", "")[: LONGEST_NAME + 1]
        try:
            if site is None:
                raise DomainError(_("Choose the site that it is kept for."))
            made = save_feasibility(
                name=name,
                site=site,
                result=found,
                protocol=protocol,
                by=request.user,
            )
        except NotPermittedError:
            raise
        except DomainError as refused:
            rows = Paginator(found.people, _PER_PAGE).get_page(1)
            context = result_context(Words(found, protocol), rows, {})
            context |= {"sites": _sites(request), "save_error": str(refused), "save_name": name}
            return render(request, "dashboard/feasibility_result.html", context, status=422)
        return redirect("dashboard:saved_feasibility", made.pk)

    return _with_result(request, answer)


@requires(Capability.TRY_CRITERIA)
@require_safe
def saved(request: StaffRequest, saved_id: uuid.UUID) -> HttpResponse:
    """The counts that somebody kept."""
    rows = SavedFeasibility.objects.visible_to(request.user, Capability.TRY_CRITERIA)
    found = get_object_or_404(rows.select_related("site", "saved_by"), pk=saved_id)
    return render(request, "dashboard/feasibility_saved.html", saved_context(found, _protocol()))
