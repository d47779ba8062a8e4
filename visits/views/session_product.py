"""The cells of a session: the lot is scanned, checked against the register, then loaded."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires, requires_by_method
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from visits.models import LoadedProduct, ProductLot, TreatmentSession
from visits.product_forms import ConfirmForm, LoadForm
from visits.selectors.products import (
    connect_by,
    load_problems,
    loadable_lots,
    lot_of,
    lot_problem,
    staff_at,
    units_left,
)
from visits.services.products import confirm_load, load_product, void_load
from visits.views.products import GET_AND_POST, act_page, did, typed


@dataclass(frozen=True, slots=True)
class LoadLine:
    """One loaded lot as the sheet shows it."""

    loaded: LoadedProduct
    problems: list[str]
    connect_by: dt.datetime | None

    @property
    def is_late(self) -> bool:
        on = self.loaded.session.cells_on_at
        return self.connect_by is not None and on is not None and on > self.connect_by


@dataclass(frozen=True, slots=True)
class SessionProduct:
    """What the block `visits/_session_product.html` shows of a session."""

    session: TreatmentSession
    lines: list[LoadLine]
    lots: list[ProductLot]
    may_enter: bool


def session_product(session: TreatmentSession, user: User) -> SessionProduct:
    """The cells of a session, and the lots from which more could be loaded."""
    rows = LoadedProduct.objects.visible_to(user).filter(session=session)
    people = ("lot", "loaded_by", "checked_by", "subject", "session", "voided_by")
    may_enter = (
        session.voided_at is None
        and not session.record.is_closed
        and user.can(Capability.ENTER_DATA, site=session.site_id)
    )
    return SessionProduct(
        session=session,
        lines=[
            LoadLine(each, load_problems(each), connect_by(each))
            for each in rows.select_related(*people).order_by("loaded_at", "entered_at")
        ],
        lots=loadable_lots(session.site_id) if may_enter else [],
        may_enter=may_enter,
    )


def _session(
    request: StaffRequest, key: uuid.UUID, capability: Capability = Capability.VIEW_CASEBOOK
) -> TreatmentSession:
    seen = TreatmentSession.objects.visible_to(request.user, capability)
    return get_object_or_404(seen.select_related("site", "subject", "record"), pk=key)


@requires_by_method(get=Capability.VIEW_CASEBOOK, post=Capability.ENTER_DATA)
@require_http_methods(GET_AND_POST)
def product(request: StaffRequest, session_id: uuid.UUID) -> HttpResponse:
    """Scan a lot, see whether it may be used here and now, and load it."""
    sending = request.method == "POST"
    session = _session(
        request, session_id, Capability.ENTER_DATA if sending else Capability.VIEW_CASEBOOK
    )
    people = staff_at([session.site])
    code = request.GET.get("lot", "")[:60]
    form = LoadForm(typed(request), people=people, initial=_initial(request, session, code))
    if sending and form.is_valid() and did(form, lambda: _load(request, session, form)):
        messages.success(request, _("The cells are entered. They have left the stock."))
        to = "visits:session" if request.POST.get("sheet") else "visits:session_product"
        return redirect(to, session.pk)
    context = {
        "session": session,
        "product": session_product(session, request.user),
        "form": form,
        "scanned": _scanned(session, code) if code else None,
        "code": code,
        "sheet": (request.POST if sending else request.GET).get("sheet", ""),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "visits/session_product.html", context, status=status)


def _load(request: StaffRequest, session: TreatmentSession, form: LoadForm) -> None:
    code = form.cleaned_data["lot_code"]
    load_product(session=session, lot_code=code, facts=form.facts, by=request.user)


def _initial(request: StaffRequest, session: TreatmentSession, code: str) -> dict[str, Any]:
    """Now, on the clock at the site, and the person who types."""
    now = trial_now().astimezone(ZoneInfo(session.site.time_zone))
    return {"lot_code": code, "units": 1, "loaded_at": f"{now:%Y-%m-%dT%H:%M}",
            "loaded_by": str(request.user.pk)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the register says of a scanned code; `refusal` is why it must not be loaded."""

    lot: ProductLot | None
    left: int
    refusal: str


def _scanned(session: TreatmentSession, code: str) -> Scanned:
    lot = lot_of(code)
    if lot is None:
        return Scanned(None, 0, _("No lot of this number is registered."))
    left = units_left(lot, session.site_id)
    refusal = lot_problem(lot) or ("" if left > 0 else _("This site has no unit of this lot."))
    return Scanned(lot, left, refusal)


def _loaded(request: StaffRequest, key: uuid.UUID) -> LoadedProduct:
    seen = LoadedProduct.objects.visible_to(request.user, Capability.ENTER_DATA)
    return get_object_or_404(
        seen.select_related("lot", "subject", "session__record", "session__subject"), pk=key
    )


@requires(Capability.ENTER_DATA)
@require_http_methods(GET_AND_POST)
def confirm(request: StaffRequest, loaded_id: uuid.UUID) -> HttpResponse:
    """State why an unusual viability or dose is right."""
    loaded = _loaded(request, loaded_id)
    form = ConfirmForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: confirm_load(
            loaded=loaded, comment=form.cleaned_data["comment"], by=request.user
        ),
        done=_("It is confirmed."),
        heading=_("Confirm what is unusual"),
        back=("visits:session_product", loaded.session_id),
        facts=[(_("Lot number"), loaded.lot.code)],
        warning=" ".join(load_problems(loaded)),
    )


@requires(Capability.ENTER_DATA)
@require_http_methods(GET_AND_POST)
def withdraw(request: StaffRequest, loaded_id: uuid.UUID) -> HttpResponse:
    """Void what was entered wrongly; its units return to the stock."""
    loaded = _loaded(request, loaded_id)
    form = ReasonForm(typed(request))
    return act_page(
        request,
        form=form,
        act=lambda: void_load(loaded=loaded, reason=form.cleaned_data["reason"], by=request.user),
        done=_("The entry is voided. Its units are back in stock."),
        heading=_("Void the loaded cells"),
        back=("visits:session_product", loaded.session_id),
        facts=[
            (_("Lot number"), loaded.lot.code),
            (_("Units"), loaded.units),
            (_("Reactor serial number"), loaded.reactor_serial),
        ],
        danger=True,
    )
