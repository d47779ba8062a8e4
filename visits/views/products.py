"""The register of lots, and what is decided about each."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.access.signing import Statement, statement, zone_of
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import DomainError, NotPermittedError
from visits.models import LotState, ProductLot, ReleaseTest
from visits.product_forms import CorrectLotForm, LotForm, ReleaseForm, TestForm
from visits.selectors.products import (
    accounts,
    lot_of,
    movements_of,
    recall,
    released_by,
    stock_of,
)
from visits.services.products import (
    RELEASE_MEANING,
    close_lot,
    correct_lot,
    quarantine_lot,
    record_test,
    register_lot,
    release_lot,
    release_problems,
    void_test,
)

GET_AND_POST = ["GET", "HEAD", "POST"]


def found_lot(key: str) -> ProductLot:
    """The lot of this number or key, or 404."""
    lot = lot_of(key)
    if lot is None:
        raise Http404
    return lot


def act_page(
    request: StaffRequest,
    *,
    form: forms.Form,
    act: Callable[[], object],
    done: str,
    heading: str | Promise,
    back: tuple[Any, ...],
    facts: list[tuple[Any, Any]] | None = None,
    signed: Statement | None = None,
    warning: str = "",
    danger: bool = False,
    then: Callable[[], HttpResponse] | None = None,
) -> HttpResponse:
    """One page for every act: what it is about, what is typed, what was refused and where."""
    if request.method == "POST" and form.is_valid() and did(form, act):
        messages.success(request, done)
        return then() if then else redirect(*back)
    context = {
        "form": form,
        "heading": heading,
        "facts": facts or [],
        "statement": signed,
        "warning": warning,
        "danger": danger,
        "back": redirect(*back)["Location"],
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "visits/product_act.html", context, status=status)


def did(form: forms.Form, act: Callable[[], object]) -> bool:
    """Whether the act was done; a refusal stands beside the field it is about."""
    try:
        act()
    except NotPermittedError:
        raise
    except DomainError as error:
        for name, found in getattr(error, "errors", {"": [str(error)]}).items():
            form.add_error(name if name in form.fields else None, found)
        return False
    return True


def typed(request: StaffRequest) -> Any:
    """What was sent, or nothing where the page is only opened."""
    return request.POST if request.method == "POST" else None


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def products(request: StaffRequest) -> HttpResponse:
    """Every lot of the study with its state and expiry, and what the person's sites have."""
    context = {
        "lots": stock_of(request.user),
        "now": trial_now(),
        "may_manage": request.user.can(Capability.MANAGE_PRODUCT),
    }
    return render(request, "visits/products.html", context)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def lot(request: StaffRequest, key: str) -> HttpResponse:
    """One lot: facts, tests, decisions, its account and the sessions at the person's sites."""
    found = found_lot(key)
    user = request.user
    study_wide = user.access.study_wide
    waiting = found.state in {LotState.REGISTERED, LotState.QUARANTINED}
    context = {
        "lot": found,
        "tests": found.tests.select_related("entered_by", "voided_by"),
        "decisions": released_by(found),
        "problems": release_problems(found) if waiting else [],
        "accounts": accounts(user, found),
        "movements": movements_of(user, found),
        "recall": recall(found, user),
        "expired": found.is_expired(trial_now()),
        "waiting": waiting,
        "may_manage": user.can(Capability.MANAGE_PRODUCT),
        "may_release": waiting and study_wide(Capability.CONFIGURE_STUDY),
        "may_stop": user.can(Capability.HOLD)
        and found.state not in {LotState.QUARANTINED, LotState.RECALLED},
        "may_close": study_wide(Capability.HOLD)
        and found.state not in {LotState.CLOSED, LotState.RECALLED},
    }
    return render(request, "visits/lot.html", context)


@requires(Capability.MANAGE_PRODUCT)
@require_http_methods(GET_AND_POST)
def new_lot(request: StaffRequest) -> HttpResponse:
    """Enter a lot into the register."""
    form = LotForm(typed(request), zone=zone_of(request.user, None))
    made: list[ProductLot] = []
    return act_page(
        request,
        form=form,
        act=lambda: made.append(
            register_lot(code=form.cleaned_data["code"], facts=form.facts, by=request.user)
        ),
        done=_("The lot is registered. It can be used once it is released."),
        heading=_("Register a lot"),
        back=("visits:products",),
        then=lambda: redirect("visits:lot", made[0].code),
    )


@requires(Capability.MANAGE_PRODUCT)
@require_http_methods(GET_AND_POST)
def change_lot(request: StaffRequest, key: str) -> HttpResponse:
    """Put right what is said of a lot that nobody may use at present."""
    found = found_lot(key)
    form = CorrectLotForm(typed(request), zone=zone_of(request.user, None), lot=found)
    return act_page(
        request,
        form=form,
        act=lambda: correct_lot(
            lot=found, facts=form.facts, reason=form.cleaned_data["reason"], by=request.user
        ),
        done=_("The lot is corrected."),
        heading=_("Correct the lot"),
        back=("visits:lot", found.code),
        facts=[(_("Lot number"), found.code)],
    )


@requires(Capability.MANAGE_PRODUCT)
@require_http_methods(GET_AND_POST)
def add_test(request: StaffRequest, key: str) -> HttpResponse:
    """Enter the result of a release test."""
    found = found_lot(key)
    form = TestForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: record_test(lot=found, facts=form.facts, by=request.user),
        done=_("The result is entered."),
        heading=_("Enter a release test"),
        back=("visits:lot", found.code),
        facts=[(_("Lot number"), found.code)],
        warning=_(
            "A result that fails its limit puts the lot into quarantine at once, and the "
            "principal investigators and safety officers of the sites that received it are told."
        ),
    )


@requires(Capability.MANAGE_PRODUCT)
@require_http_methods(GET_AND_POST)
def withdraw_test(request: StaffRequest, test_id: uuid.UUID) -> HttpResponse:
    """Void a result that was never so."""
    test = ReleaseTest.objects.select_related("lot").filter(pk=test_id).first()
    if test is None:
        raise Http404
    form = ReasonForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: void_test(test=test, reason=form.cleaned_data["reason"], by=request.user),
        done=_("The result is voided. It stays in the trail."),
        heading=_("Void the result"),
        back=("visits:lot", test.lot.code),
        facts=[(_("Lot number"), test.lot.code), (test.title, f"{test.result} {test.unit}")],
        danger=True,
    )


def _facts_of(found: ProductLot) -> list[tuple[Any, Any]]:
    return [
        (_("Lot number"), found.code),
        (_("Product"), found.product),
        (_("State"), found.get_state_display()),
    ]


@requires(Capability.CONFIGURE_STUDY)
@require_http_methods(GET_AND_POST)
def release(request: StaffRequest, key: str) -> HttpResponse:
    """Release a lot by signature."""
    found = found_lot(key)
    request.user.require_study_wide(Capability.CONFIGURE_STUDY)
    form = ReleaseForm(typed(request), request=request)
    return act_page(
        request,
        form=form,
        act=lambda: release_lot(
            lot=found, reason=form.cleaned_data["reason"], by=request.user, proof=form.proof
        ),
        done=_("The lot is released."),
        heading=_("Release the lot"),
        back=("visits:lot", found.code),
        facts=_facts_of(found),
        signed=statement(by=request.user, meaning=RELEASE_MEANING),
        warning=" ".join(release_problems(found)),
    )


@requires(Capability.HOLD)
@require_http_methods(GET_AND_POST)
def quarantine(request: StaffRequest, key: str) -> HttpResponse:
    """Stop a lot everywhere at once."""
    found = found_lot(key)
    form = ReasonForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: quarantine_lot(lot=found, reason=form.cleaned_data["reason"], by=request.user),
        done=_("The lot is in quarantine. Nobody can load it."),
        heading=_("Put the lot into quarantine"),
        back=("visits:lot", found.code),
        facts=_facts_of(found),
        danger=True,
    )


@requires(Capability.HOLD)
@require_http_methods(GET_AND_POST)
def close(request: StaffRequest, key: str) -> HttpResponse:
    """Close a lot of which nothing is left."""
    found = found_lot(key)
    request.user.require_study_wide(Capability.HOLD)
    form = ReasonForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: close_lot(lot=found, reason=form.cleaned_data["reason"], by=request.user),
        done=_("The lot is closed."),
        heading=_("Close the lot"),
        back=("visits:lot", found.code),
        facts=_facts_of(found),
    )
