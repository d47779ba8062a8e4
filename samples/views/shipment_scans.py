"""The scan page of a parcel: into it, out of it again, out of it at its destination."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from samples.models import LineState, Shipment, ShipmentState
from samples.selectors.shipping import export_refusal
from samples.services.shipment_log import Scanned, lines_of
from samples.services.shipments import pack, receive, unpack
from samples.shipment_forms import ParcelScanForm, ReceiveScanForm
from samples.views.acting import GET_AND_POST
from samples.views.shipments import shipment_for
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a scan at a parcel does."""

    name: str
    label: Promise
    hint: Promise
    form: type[ParcelScanForm]
    act: Callable[..., Scanned]
    states: tuple[ShipmentState, ...]


STEPS: Mapping[str, Step] = {
    each.name: each
    for each in (
        Step(
            name="pack",
            label=gettext_lazy("Pack"),
            hint=gettext_lazy("Scan an aliquot, or a box with all that is in it."),
            form=ParcelScanForm,
            act=pack,
            states=(ShipmentState.PACKING,),
        ),
        Step(
            name="unpack",
            label=gettext_lazy("Take out again"),
            hint=gettext_lazy("Scan what is taken out of the parcel."),
            form=ParcelScanForm,
            act=unpack,
            states=(ShipmentState.PACKING,),
        ),
        Step(
            name="receive",
            label=gettext_lazy("Receive"),
            hint=gettext_lazy(
                "Scan what comes out of the parcel: an aliquot, or a box sent whole."
            ),
            form=ReceiveScanForm,
            act=receive,
            states=(ShipmentState.SENT, ShipmentState.RECEIVED, ShipmentState.CLOSED),
        ),
    )
}


@requires(Capability.SHIP_SAMPLES)
@require_http_methods(GET_AND_POST)
def scan(request: StaffRequest, code: str, name: str) -> HttpResponse:
    """Pack, unpack or receive what is scanned; the same code again changes nothing."""
    step = STEPS.get(name)
    if step is None:
        raise Http404
    found = shipment_for(request, code, Capability.SHIP_SAMPLES)
    if request.method != "POST":
        return _page(request, found, step, step.form())
    form = step.form(request.POST)
    if not form.is_valid():
        return _page(request, found, step, form, status=422)
    try:
        answer = step.act(
            by=request.user, shipment=found, code=form.cleaned_data["code"], **form.said
        )
    except NotPermittedError:
        raise
    except DomainError as refused:
        return _page(request, found, step, _again(form, keep=True), refused=refused)
    found.refresh_from_db()
    return _page(request, found, step, _again(form, keep=False), answer=answer)


def _again(form: ParcelScanForm, *, keep: bool) -> ParcelScanForm:
    """The form for the next scan: what holds stays; what was said of one scan is said anew,
    and stays only where that scan was refused."""
    names = (*form.always, *(form.once if keep else ()))
    return type(form)(initial={name: form.cleaned_data[name] for name in names})


def _page(
    request: StaffRequest,
    found: Shipment,
    step: Step,
    form: ParcelScanForm,
    *,
    answer: Scanned | None = None,
    refused: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    lines = lines_of(found)
    waiting = [each for each in lines if each.state == LineState.PACKED]
    receiving = step.name == "receive"
    blocked = export_refusal(found, trial_today(found.time_zone)) if step.name == "pack" else None
    context = {
        "shipping": True,
        "shipment": found,
        "step": step,
        "steps": [each for each in STEPS.values() if found.state in each.states],
        "fits": found.state in step.states,
        "form": form,
        "once": [form[name] for name in form.once],
        "always": [form[name] for name in form.always],
        "answer": answer,
        "refused": refused,
        "headline": getattr(refused, "headline", _("Not done")),
        "blocked": blocked,
        "waiting": len(waiting),
        "lines": (waiting if receiving else lines[::-1])[:100],
        "count": sum(not each.unexpected for each in lines),
        "receiving": receiving,
    }
    code = 422 if refused is not None else status
    return render(request, "samples/shipment_scan.html", context, status=code)
