"""The signed acts on assumptions: confirming several at once, revoking one."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.signing import statement
from trialsite.casebook.models import ProtocolVersion
from trialsite.conduct.forms import ReasonedSigningForm
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.dashboard.assumptions import ConfirmForm
from trialsite.dashboard.protocol import protocol_page
from trialsite.review.assumptions import (
    REVOKE_MEANING,
    confirm_assumptions,
    confirmed_protocol,
    revoke_confirmation,
)
from trialsite.review.models import ConfirmedAssumption

configures = requires(Capability.CONFIGURE_STUDY)


def _back(version: ProtocolVersion) -> HttpResponse:
    query = urlencode({"version": version.version})
    return redirect(f"{reverse('dashboard:protocol')}?{query}#assumptions-title")


@configures
@require_POST
def confirm(request: StaffRequest) -> HttpResponse:
    """Confirm the ticked assumptions of a version under one re-authentication."""
    request.user.require_study_wide(Capability.CONFIGURE_STUDY)
    version = get_object_or_404(ProtocolVersion, version=request.POST.get("version", ""))
    open_now = list(confirmed_protocol(version.pk).assumptions())
    form = ConfirmForm(request.POST, request=request, open_now=open_now)
    if not form.is_valid():
        return protocol_page(request, version=version, confirming=form)
    try:
        made = confirm_assumptions(
            version=version,
            paths=form.chosen,
            seen=form.chosen,
            by=request.user,
            proof=form.proof,
        )
    except NotPermittedError:
        raise
    except DomainError as refused:
        form.add_error(None, str(refused))
        return protocol_page(request, version=version, confirming=form)
    messages.success(
        request,
        ngettext("%(number)d value is confirmed.", "%(number)d values are confirmed.", len(made))
        % {"number": len(made)},
    )
    return _back(version)


@configures
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: StaffRequest, confirmation_id: uuid.UUID) -> HttpResponse:
    """Turn one confirmed value back into an assumption."""
    request.user.require_study_wide(Capability.CONFIGURE_STUDY)
    found = ConfirmedAssumption.objects.select_related("version", "confirmed_by")
    confirmation = get_object_or_404(found, pk=confirmation_id)
    typed = request.POST if request.method == "POST" else None
    form = ReasonedSigningForm(typed, request=request)
    if typed is not None and form.is_valid():
        try:
            revoke_confirmation(
                confirmation=confirmation,
                reason=form.cleaned_data["reason"],
                by=request.user,
                proof=form.proof,
            )
        except NotPermittedError:
            raise
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, _("The confirmation is revoked."))
            return _back(confirmation.version)
    context = {
        "form": form,
        "confirmation": confirmation,
        "statement": statement(by=request.user, meaning=REVOKE_MEANING),
    }
    return render(request, "dashboard/revoke.html", context, status=422 if form.errors else 200)
