"""A subject's consent: how it stands, every act of it, and recording the next one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from screening.forms.consent import (
    CapacityForm,
    ConsentForm,
    MissingForm,
    SaidForm,
    WithdrawalForm,
)
from screening.models import CapacityAssessment, Consent, ScreeningEntry, Withdrawal
from screening.models.consent import OPTIONS, ConsentPart, Scope
from screening.selectors.consent import (
    acts_of,
    documents_at,
    explainers_at,
    reconsent_due,
    scans_of,
    standing_of,
)
from screening.services.capacity import assess_capacity, withdraw_consent
from screening.services.consent import add_consent, add_scan, complete_consent, give_consent
from screening.services.consent_records import FieldsError, void_part
from screening.standing import Standing
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.casebook.models import Attachment, CrfRecord, Subject
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.registry import form as form_of


def subject_of(request: StaffRequest, pk: uuid.UUID, capability: Capability) -> Subject:
    """The subject, if this person may do that at its site; any other is not there."""
    visible = Subject.objects.visible_to(request.user, capability)
    return get_object_or_404(visible.select_related("site"), pk=pk)


@dataclass(frozen=True, slots=True)
class Line:
    """One act on the page."""

    act: ConsentPart
    title: str
    scans: list[Attachment]
    missing: MissingForm | None

    @property
    def kind(self) -> str:
        """What it is in an address."""
        return next(name for name, table in PARTS.items() if isinstance(self.act, table))


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def consent(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """How the consent of a subject stands, and every act of it."""
    return _page(request, subject_of(request, subject_id, Capability.VIEW_CASEBOOK))


def _page(
    request: StaffRequest, subject: Subject, *, scan_error: str = "", at: uuid.UUID | None = None
) -> HttpResponse:
    standing = standing_of(subject)
    scans = scans_of(subject)
    context = {
        "subject": subject,
        "standing": standing,
        "lines": [_line(act, scans.get(act.record_id, [])) for act in acts_of(subject)],
        "may_enter": request.user.can(Capability.ENTER_DATA, site=subject.site_id),
        "scan_error": scan_error,
        "scan_error_at": at,
        **words_of(standing),
    }
    return render(request, "screening/consent.html", context, status=422 if scan_error else 200)


def words_of(standing: Standing) -> dict[str, Any]:
    """The state in words, for the page and for the casebook's panel."""
    latest = standing.consents[-1] if standing.consents else None
    return {
        "fact": standing.fact,
        "state": standing.state,
        "refusals": standing.refusals(),
        "scopes": [scope.label for scope in Scope if scope in standing.scopes],
        "options": latest.options if latest else [],
        "latest": latest,
        "capacity": standing.assessments[-1] if standing.assessments else None,
    }


def _line(act: ConsentPart, scans: list[Attachment]) -> Line:
    open_consent = isinstance(act, Consent) and not act.is_voided and not act.is_complete
    missing = MissingForm(consent=act, prefix=str(act.pk)) if open_consent else None  # type: ignore[arg-type]
    return Line(act, str(form_of(act.record.form_oid).title), scans, missing)


def _said(
    request: StaffRequest,
    form: SaidForm,
    act: Callable[[], ConsentPart],
    done: str,
    page: dict[str, Any],
) -> HttpResponse:
    """Show a form; a POST does the act, or comes back with each error beside its field."""
    if request.method == "POST" and form.is_valid():
        try:
            made = act()
        except NotPermittedError:
            raise
        except FieldsError as refused:
            form.refuse(refused)
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, done)
            return redirect("screening:consent", made.subject_id)
    status = 422 if form.errors else 200
    return render(request, "screening/consent_form.html", page | {"form": form}, status=status)


def _consent_form(request: StaffRequest, site: Site, standing: Standing | None) -> ConsentForm:
    return ConsentForm(
        request.POST or None,
        request.FILES or None,
        standing=standing,
        documents=documents_at(site),
        people=explainers_at(site),
    )


@requires(Capability.ENTER_DATA)
@require_http_methods(["GET", "HEAD", "POST"])
def first(request: StaffRequest, entry_id: uuid.UUID) -> HttpResponse:
    """The first consent of a person of the screening log: the subject appears with it."""
    visible = ScreeningEntry.objects.visible_to(request.user, Capability.ENTER_DATA)
    entry = get_object_or_404(visible.select_related("site", "subject"), pk=entry_id)
    if entry.subject_id is not None:
        return redirect("screening:consent", entry.subject_id)
    form = _consent_form(request, entry.site, None)
    page = {
        "entry": entry,
        "number": entry.number,
        "site": entry.site,
        "heading": _("First consent"),
        "act": _("Record consent"),
    }
    return _said(
        request,
        form,
        lambda: give_consent(
            entry=entry, act=form.act, by=request.user, scan=form.cleaned_data["scan"]
        ),
        _("The consent is recorded. %(number)s is in the casebook.") % {"number": entry.number},
        page,
    )


@requires(Capability.ENTER_DATA)
@require_http_methods(["GET", "HEAD", "POST"])
def record(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """A further act of a subject."""
    subject = subject_of(request, subject_id, Capability.ENTER_DATA)
    form = _consent_form(request, subject.site, standing_of(subject))
    return _said(
        request,
        form,
        lambda: add_consent(
            subject=subject, act=form.act, by=request.user, scan=form.cleaned_data["scan"]
        ),
        _("The consent is recorded."),
        _about(subject, _("Record consent")),
    )


@requires(Capability.ENTER_DATA)
@require_http_methods(["GET", "HEAD", "POST"])
def capacity(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """An assessment of the capacity to consent."""
    subject = subject_of(request, subject_id, Capability.ENTER_DATA)
    form = CapacityForm(request.POST or None, people=explainers_at(subject.site))
    return _said(
        request,
        form,
        lambda: assess_capacity(subject=subject, by=request.user, **form.cleaned_data),
        _("The assessment is recorded."),
        _about(subject, _("Assess capacity")),
    )


@requires(Capability.ENTER_DATA)
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """What a participant takes back."""
    subject = subject_of(request, subject_id, Capability.ENTER_DATA)
    form = WithdrawalForm(request.POST or None)
    lead = _(
        "Withdrawing treatment leaves survival contact and the follow-up of serious adverse "
        "events running. Withdrawing all data stops every entry at once. What was collected "
        "before stays."
    )
    return _said(
        request,
        form,
        lambda: withdraw_consent(subject=subject, by=request.user, **form.cleaned_data),
        _("The withdrawal is recorded."),
        _about(subject, _("Record withdrawal")) | {"lead": lead},
    )


def _about(subject: Subject, heading: str) -> dict[str, Any]:
    return {
        "subject": subject,
        "number": subject.label,
        "site": subject.site,
        "heading": heading,
    }


def _own_consent(request: StaffRequest, pk: uuid.UUID) -> Consent:
    mine = Consent.objects.visible_to(request.user, Capability.ENTER_DATA)
    return get_object_or_404(mine.select_related("subject__site", "record", "document"), pk=pk)


@requires(Capability.ENTER_DATA)
@require_POST
def complete(request: StaffRequest, consent_id: uuid.UUID) -> HttpResponse:
    """Add what was missing on a consent."""
    found = _own_consent(request, consent_id)
    form = MissingForm(request.POST, consent=found, prefix=str(found.pk))
    if form.is_valid():
        said = form.cleaned_data
        return _act(
            request,
            found.subject_id,
            lambda: complete_consent(
                consent=found,
                by=request.user,
                copy_given=said.get("copy_given", False),
                options={name: said[name] for name in OPTIONS if name in said},
            ),
            _("The consent is saved."),
        )
    return redirect("screening:consent", found.subject_id)


@requires(Capability.ENTER_DATA)
@require_POST
def scan(request: StaffRequest, consent_id: uuid.UUID) -> HttpResponse:
    """Keep the scan of a signed form that followed later."""
    found = _own_consent(request, consent_id)
    file = request.FILES.get("scan")
    if file is None:
        return _page(request, found.subject, scan_error=_("Choose a file."), at=found.pk)
    try:
        add_scan(consent=found, file=file, by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        return _page(request, found.subject, scan_error=str(refused), at=found.pk)
    messages.success(request, _("The document is kept."))
    return redirect("screening:consent", found.subject_id)


PARTS: dict[str, type[ConsentPart]] = {
    "consent": Consent,
    "capacity": CapacityAssessment,
    "withdrawal": Withdrawal,
}


@requires(Capability.ENTER_DATA)
@require_POST
def void(request: StaffRequest, kind: str, part_id: uuid.UUID) -> HttpResponse:
    """Take an act out that was entered in error, with the reason."""
    table: Any = PARTS.get(kind)
    if table is None:
        raise Http404
    mine = table.objects.visible_to(request.user, Capability.ENTER_DATA)
    found = get_object_or_404(mine.select_related("subject", "record"), pk=part_id)
    reason = request.POST.get("reason", "")
    return _act(
        request,
        found.subject_id,
        lambda: void_part(part=found, reason=reason, by=request.user),
        _("The act is voided; it stays in the trail."),
    )


def _act(
    request: StaffRequest, subject_id: uuid.UUID, act: Callable[[], object], done: str
) -> HttpResponse:
    try:
        act()
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, done)
    return redirect("screening:consent", subject_id)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def due(request: StaffRequest) -> HttpResponse:
    """Who must consent anew, at the person's sites."""
    lines = reconsent_due(request.user.access.sites(Capability.VIEW_CASEBOOK))
    return render(request, "screening/consent_due.html", {"lines": lines})


def panel(request: HttpRequest, subject: Subject) -> SafeString:
    """How the consent stands, for the subject's casebook page."""
    context = {"subject": subject, **words_of(standing_of(subject))}
    return render_to_string("screening/_consent_panel.html", context, request)


def record_action(request: HttpRequest, record: CrfRecord) -> str:
    """From a record of consent to the page where its act stands."""
    if form_of(record.form_oid).domain not in PARTS.values():
        return ""
    return render_to_string(
        "screening/_consent_action.html", {"subject_id": record.subject_id}, request
    )
