"""The screening log: the list with its funnel, a new entry, one entry and its acts."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from screening.forms.log import (
    CloseForm,
    FirstContactForm,
    NewEntryForm,
    ReasonForm,
    SamePersonForm,
)
from screening.models import ScreeningEntry
from screening.models.log import Reason
from screening.selectors.enrolment import enrolment_state, refusals_of
from screening.selectors.funnel import Box, Place, entries_in, funnel, part_named
from screening.selectors.log import Line, lines_of, screening_records, seen_by
from screening.services.enrolment import EnrolmentRefused, enrol_subject, void_enrolment
from screening.services.log import (
    EntryError,
    close_entry,
    correct_first_contact,
    ends_of,
    open_once,
    reopen_entry,
    state_same_person,
    version_of,
    void_entry,
)
from screening.views.funnel import chart_of
from trialsite.access.capabilities import Capability
from trialsite.access.http import SITE_KEY, StaffRequest, requires
from trialsite.access.models import Site
from trialsite.casebook.models import SubjectStatus
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.registry import forms as crf_forms

PAGE = 50


def _sites(request: StaffRequest, capability: Capability) -> list[Site]:
    """The sites of the page: those of the right, narrowed to the one the person chose."""
    sites = list(Site.objects.filter(pk__in=request.user.access.sites(capability)))
    chosen = request.session.get(SITE_KEY)
    return [site for site in sites if site.pk == chosen] or sites


def _entry(request: StaffRequest, entry_id: uuid.UUID) -> ScreeningEntry:
    rows = seen_by(request.user).select_related(
        "earlier", "same_person_as", "considered_by", "subject__protocol_version"
    )
    return get_object_or_404(rows, pk=entry_id)


@requires(Capability.VIEW_SCREENING)
@require_safe
def log(request: StaffRequest) -> HttpResponse:
    """Everybody who was considered at the person's sites, and the funnel above."""
    sites = _sites(request, Capability.VIEW_SCREENING)
    keys = [site.pk for site in sites]
    part = part_named(request.GET.get("place", ""))
    rows = seen_by(request.user).filter(site_id__in=keys)
    if part is not None:
        rows = entries_in(rows, part)
    typed = unicodedata.normalize("NFKC", request.GET.get("q", "")).strip()[:40]
    if typed:
        rows = rows.filter(number__icontains=typed)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "lines": lines_of(page.object_list, user=request.user, now=trial_now()),
        "chart": chart_of(funnel(keys), sites),
        "states": [enrolment_state(site) for site in sites[:1]],
        "places": [*Box.choices, *Place.choices],
        "place": part,
        "typed": typed,
        "may_screen": request.user.can(Capability.SCREEN),
    }
    return render(request, "screening/log.html", context)


@requires(Capability.SCREEN)
@require_http_methods(["GET", "POST"])
def new(request: StaffRequest) -> HttpResponse:
    """Log a person; the same form sent twice gives one number."""
    sites = [site for site in _sites(request, Capability.SCREEN) if site.active]
    today = trial_today(sites[0].time_zone) if sites else None
    first = {"once": uuid.uuid4(), "first_contact_on": today}
    form = NewEntryForm(request.POST or None, sites=sites, initial=first)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        earlier = _named(request, said.pop("earlier"))
        try:
            if earlier is _UNKNOWN:
                raise EntryError({"earlier": [_("There is no such number in your log.")]})
            entry = open_once(by=request.user, earlier=earlier, **said)
        except EntryError as refused:
            form.refused(refused.errors)
        else:
            messages.success(request, _("%(number)s is in the log.") % {"number": entry.number})
            return redirect("screening:entry", entry.pk)
    return render(request, "screening/new.html", {"form": form, "sites": sites})


_UNKNOWN: Any = object()


def _named(request: StaffRequest, typed: str) -> Any:
    """The entry of this number; None where none was typed."""
    number = unicodedata.normalize("NFKC", typed).strip().upper()
    if not number:
        return None
    rows = ScreeningEntry.objects.visible_to(request.user, Capability.SCREEN)
    return rows.filter(number=number).first() or _UNKNOWN


@requires(Capability.VIEW_SCREENING)
@require_safe
def entry(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """One person: where they stand, what is missing, what can be done next."""
    return _page(request, _entry(request, entry_id))


def _page(
    request: StaffRequest, found: ScreeningEntry, *, status: int = 200, **bound: Any
) -> HttpResponse:
    now = trial_now()
    (line,) = lines_of([found], user=request.user, now=now)
    user, site = request.user, found.site
    subject = found.subject
    may_open = line.may_open and subject is not None
    may_close = user.can(Capability.SCREEN, site=site) and (
        subject is None or user.can(Capability.ENTER_DATA, site=site)
    )
    context = {
        "entry": found,
        "line": line,
        "place": line.place,
        "fact": line.consent.fact if line.consent else None,
        "records": _records(found) if may_open else [],
        "later": found.later.filter(voided_at=None),
        "criteria": _decided_by(found),
        "reason_labels": [Reason(each).label for each in found.reasons],
        "may_see_identity": user.can(Capability.VIEW_IDENTITY, site=site),
        "may_enrol_here": user.can(Capability.ADD_SUBJECT, site=site),
        "may_open": may_open,
        "may_screen": user.can(Capability.SCREEN, site=site),
        "may_close": may_close,
        "may_enrol": subject is not None and user.can(Capability.ADD_SUBJECT, site=site),
        "may_void_enrolment": found.outcome == "enrolled"
        and subject is not None
        and subject.status == SubjectStatus.ENROLLED
        and subject.day_zero is None
        and user.can(Capability.SIGN_FORM, site=site),
        "refusals": refusals_of(subject) if subject and found.is_open else [],
        "enrolment": enrolment_state(site),
        "close": _close_form(found, decided=_against(line))
        if may_close and found.is_open
        else None,
        "reopen": ReasonForm(prefix="reopen"),
        "void": ReasonForm(prefix="void"),
        "contact": FirstContactForm(
            prefix="contact", initial={"first_contact_on": found.first_contact_on}
        ),
        "same": SamePersonForm(entry=found, prefix="same"),
        "unenrol": ReasonForm(prefix="unenrol"),
    } | bound
    return render(request, "screening/entry.html", context, status=status)


def _records(found: ScreeningEntry) -> list[tuple[Any, str]]:
    assert found.subject is not None
    known = crf_forms()
    records = screening_records([found.subject]).get(found.subject.pk, [])
    return [
        (each, str(known[each.form_oid].title) if each.form_oid in known else each.form_oid)
        for each in records
    ]


def _decided_by(found: ScreeningEntry) -> list[tuple[str, str]]:
    """The criteria that decided, in the protocol's words."""
    if not found.criteria:
        return []
    protocol = protocol_of(version_of(found).pk)
    words = {each.id: each.text.in_language(get_language() or "en") for each in protocol.criteria}
    return [(each, words.get(each, "")) for each in found.criteria]


def _against(line: Line) -> tuple[str, ...]:
    """The criteria of a signed decision that stands: not eligible."""
    decision = line.decision
    if decision is None or decision.eligible or not decision.stands:
        return ()
    return tuple(decision.evaluation.against)


def _close_form(
    found: ScreeningEntry, data: Any = None, *, decided: tuple[str, ...] = ()
) -> CloseForm:
    try:
        criteria = tuple(protocol_of(version_of(found).pk).criteria)
    except DomainError:
        criteria = ()
    return CloseForm(
        data,
        prefix="close",
        outcomes=ends_of(found),
        criteria=criteria,
        language=get_language() or "en",
        today=trial_now().astimezone(ZoneInfo(found.site.time_zone)).date(),
        decided=decided,
    )


def _act(
    request: StaffRequest,
    found: ScreeningEntry,
    name: str,
    form: Any,
    do: Callable[..., Any],
    done: str,
) -> HttpResponse:
    """Do it and return to the page, or show the page again with the refusal in its place."""
    if form.is_valid():
        try:
            do(**form.cleaned_data)
        except NotPermittedError:
            raise
        except EntryError as refused:
            form.refused(refused.errors)
        except DomainError as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, done)
            return redirect("screening:entry", found.pk)
    return _page(request, found, status=422, **{name: form})


@requires(Capability.SCREEN)
@require_POST
def close(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """End the screening, with every reason."""
    found = _entry(request, entry_id)
    form = _close_form(found, request.POST)

    def do(**said: Any) -> None:
        close_entry(entry=found, by=request.user, **said)

    return _act(request, found, "close", form, do, _("The screening is closed."))


@requires(Capability.SCREEN)
@require_POST
def reopen(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """Screening goes on after all."""
    found = _entry(request, entry_id)
    form = ReasonForm(request.POST, prefix="reopen")

    def do(reason: str) -> None:
        reopen_entry(entry=found, reason=reason, by=request.user)

    return _act(request, found, "reopen", form, do, _("The screening goes on."))


@requires(Capability.SCREEN)
@require_POST
def first_contact(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """The day of the first contact was typed wrongly."""
    found = _entry(request, entry_id)
    form = FirstContactForm(request.POST, prefix="contact")

    def do(**said: Any) -> None:
        correct_first_contact(entry=found, by=request.user, **said)

    return _act(request, found, "contact", form, do, _("The first contact is corrected."))


@requires(Capability.SCREEN)
@require_POST
def void(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """Entered in error: it counts no longer, its number stays taken."""
    found = _entry(request, entry_id)
    form = ReasonForm(request.POST, prefix="void")

    def do(reason: str) -> None:
        void_entry(entry=found, reason=reason, by=request.user)

    return _act(request, found, "void", form, do, _("The entry is voided."))


@requires(Capability.SCREEN)
@require_POST
def same_person(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """Say that two entries are likely one person; nothing is merged."""
    found = _entry(request, entry_id)
    form = SamePersonForm(request.POST, entry=found, prefix="same")

    def do(other: str, reason: str) -> None:
        named = _named(request, other)
        if named is _UNKNOWN:
            raise EntryError({"other": [_("There is no such number in your log.")]})
        state_same_person(entry=found, other=named, reason=reason, by=request.user)

    return _act(request, found, "same", form, do, _("It is kept with its reason."))


@requires(Capability.ADD_SUBJECT)
@require_POST
def enrol(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """Take the subject into the study; a refusal names every reason."""
    found = _entry(request, entry_id)
    if found.subject is None:
        messages.error(request, _("No consent is on file."))
        return redirect("screening:entry", found.pk)
    try:
        enrolled = enrol_subject(subject=found.subject, by=request.user)
    except NotPermittedError:
        raise
    except EnrolmentRefused as refused:
        return _page(request, found, status=422, refusals=refused.reasons)
    except DomainError as refused:
        return _page(request, found, status=422, refusals=[str(refused)])
    messages.success(request, _("Enrolled as %(number)s.") % {"number": enrolled.number})
    return redirect("screening:entry", found.pk)


@requires(Capability.SIGN_FORM)
@require_POST
def unenrol(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """Take back an enrolment made in error, before day zero."""
    found = _entry(request, entry_id)
    form = ReasonForm(request.POST, prefix="unenrol")

    def do(reason: str) -> None:
        if found.subject is None:
            raise DomainError(_("This subject is not enrolled."))
        void_enrolment(subject=found.subject, reason=reason, by=request.user)

    return _act(request, found, "unenrol", form, do, _("The enrolment is taken back."))
