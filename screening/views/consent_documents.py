"""Consent documents and their approvals, site by site: a tab of the protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from screening.forms.consent import ApprovalForm, DocumentForm, SaidForm, WithdrawApprovalForm
from screening.models import ConsentApproval
from screening.selectors.consent import all_documents, approvals_at
from screening.services.consent_documents import (
    add_document,
    approve_document,
    withdraw_approval,
)
from screening.services.consent_records import FieldsError
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site, User
from trialsite.core.exceptions import DomainError, NotPermittedError


def _sites(user: User, capability: Capability) -> list[Site]:
    return list(Site.objects.filter(pk__in=user.access.sites(capability)))


def _approval_form(request: StaffRequest, data: Any = None) -> ApprovalForm:
    sites = _sites(request.user, Capability.CONFIGURE_STUDY)
    choices = [(site.pk, str(site)) for site in sites if site.active]
    return ApprovalForm(data, sites=choices, prefix="approval")


def _withdraw_form(request: StaffRequest, data: Any = None) -> WithdrawApprovalForm:
    mine = ConsentApproval.objects.visible_to(request.user, Capability.CONFIGURE_STUDY)
    return WithdrawApprovalForm(data, approvals=mine, prefix="withdraw")


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def documents(request: StaffRequest) -> HttpResponse:
    """Every document, and at each of the person's sites what counts since when."""
    return _page(request)


def _page(request: StaffRequest, **forms: SaidForm) -> HttpResponse:
    sites = _sites(request.user, Capability.VIEW_CASEBOOK)
    approvals = approvals_at(sites)
    context = {
        "documents": all_documents(),
        "sites": [(site, approvals[site.pk]) for site in sites],
        "may_configure": request.user.can(Capability.CONFIGURE_STUDY),
        "document_form": forms.get("document") or DocumentForm(prefix="document"),
        "approval_form": forms.get("approval") or _approval_form(request),
        "withdraw_form": forms.get("withdraw") or _withdraw_form(request),
        "opened": next(iter(forms), ""),
    }
    status = 422 if forms else 200
    return render(request, "screening/consent_documents.html", context, status=status)


def _said(
    request: StaffRequest, name: str, form: SaidForm, act: Callable[[], object], done: str
) -> HttpResponse:
    """Do it, or show the page again with everything typed and each error beside its field."""
    if form.is_valid():
        try:
            act()
        except NotPermittedError:
            raise
        except FieldsError as refused:
            form.refuse(refused)
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, done)
            return redirect("screening:consent_documents")
    return _page(request, **{name: form})


@requires(Capability.CONFIGURE_STUDY)
@require_POST
def add(request: StaffRequest) -> HttpResponse:
    """Enter one language of a version."""
    form = DocumentForm(request.POST, prefix="document")
    return _said(
        request,
        "document",
        form,
        lambda: add_document(by=request.user, **form.cleaned_data),
        _("The document is entered. It counts nowhere until it is approved at a site."),
    )


@requires(Capability.CONFIGURE_STUDY)
@require_POST
def approve(request: StaffRequest) -> HttpResponse:
    """Put a document in force at a site."""
    form = _approval_form(request, request.POST)

    def act() -> None:
        said = dict(form.cleaned_data)
        site = Site.objects.get(pk=said.pop("site"))
        approve_document(site=site, by=request.user, **said)

    return _said(request, "approval", form, act, _("The approval is recorded."))


@requires(Capability.CONFIGURE_STUDY)
@require_POST
def withdraw(request: StaffRequest) -> HttpResponse:
    """The committee took its approval back."""
    form = _withdraw_form(request, request.POST)
    return _said(
        request,
        "withdraw",
        form,
        lambda: withdraw_approval(by=request.user, **form.cleaned_data),
        _("The approval is withdrawn."),
    )
