"""The scan page: one field, one step, one clear answer.

A scan is answered with the page itself, ready for the next: the same code again changes
nothing, so that sending the page once more is harmless.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from samples.forms import AliquotScanForm, ScanForm, SpinScanForm, TimedScanForm
from samples.models import Aliquot, AliquotState, Box, Shipment, Specimen, SpecimenState
from samples.selectors.codes import Code, find
from samples.selectors.plan import samples_of_visit
from samples.services.aliquots import free_positions
from samples.services.facts import SpecimenFacts
from samples.services.planning import plan_of
from samples.services.scanning import Answer, ScanRefusedError, Setting, Step, scan
from samples.views.acting import GET_AND_POST
from screening.services.consent import ProcedureRefusedError
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.keeping import keep
from trialsite.casebook.models import Visit
from trialsite.casebook.protocols import protocol_of, visit_name
from trialsite.casebook.selectors import current_version
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.protocol.values import Interval

_FORMS: dict[Step, type[ScanForm]] = {
    Step.COLLECT: TimedScanForm,
    Step.RECEIVE: TimedScanForm,
    Step.SPIN: SpinScanForm,
    Step.ALIQUOT: AliquotScanForm,
    Step.FREEZE: TimedScanForm,
}


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def look_up(request: StaffRequest) -> HttpResponse:
    """A code scanned on any page: to what it names, or why nothing is found."""
    text = request.GET.get("code", "")
    code = find(text, request.user)
    if code.named is not None:
        return redirect(address_of(code))
    setting = Setting(step=Step.FIND)
    try:
        scan(text=text, setting=setting, by=request.user)
    except ScanRefusedError as refused:
        return _page(request, setting, ScanForm(), refused=refused)
    raise Http404


def address_of(code: Code) -> str:
    """The page of what a code names."""
    if isinstance(code.named, Specimen | Aliquot):
        return reverse("samples:sample", args=[code.text])
    if isinstance(code.named, Box):
        return reverse("samples:box", args=[code.text])
    if isinstance(code.named, Shipment):
        return reverse("samples:shipment", args=[code.text])
    return reverse("samples:overview")


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def step(request: StaffRequest, name: str) -> HttpResponse:
    """Do one step for each tube that is scanned."""
    if name not in _FORMS:
        raise Http404
    step = Step(name)
    kind = _FORMS[step]
    if request.method != "POST":
        form = kind(initial=_initial(request, step))
        return _page(request, _setting(request, step, {}), form)
    form = kind(request.POST)
    if not form.is_valid():
        return _page(request, _setting(request, step, {}), form, status=422)
    setting = _setting(request, step, form.cleaned_data)
    try:
        answer = scan(text=form.cleaned_data["code"], setting=setting, by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        if isinstance(refused, ProcedureRefusedError):
            keep(request, refused.propose)
        return _page(request, setting, _again(kind, form, setting), refused=refused)
    return _page(request, answer.setting, _again(kind, form, answer.setting), answer=answer)


def _again(kind: type[ScanForm], form: ScanForm, setting: Setting) -> ScanForm:
    """The form for the next scan: what holds stays, the code is gone."""
    kept = {name: value for name, value in form.cleaned_data.items() if name != "code"}
    kept["box"] = setting.box.pk if setting.box else None
    return kind(initial=kept)


def _initial(request: StaffRequest, step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {name: request.GET.get(name, "") for name in ("visit", "box")}
    if step is Step.SPIN:
        plan = protocol_of(current_version().pk).samples
        if plan is not None:
            found["centrifuge_g"] = _middle(plan.centrifuge_g)
            found["centrifuge_minutes"] = _middle(plan.centrifuge_minutes)
    return found


def _middle(interval: Interval | None) -> int | str:
    """The middle of what the protocol allows, as a proposal."""
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return int((interval.low + interval.high) / 2)


def _setting(request: StaffRequest, step: Step, said: dict[str, Any]) -> Setting:
    source = request.POST if request.method == "POST" else request.GET
    return Setting(
        step=step,
        visit=_visit(request, source.get("visit", "")),
        box=_box(request, source.get("box", "")),
        spun=SpecimenFacts(
            centrifuge_g=said.get("centrifuge_g"),
            centrifuge_minutes=said.get("centrifuge_minutes"),
            centrifuge_celsius=said.get("centrifuge_celsius"),
            centrifuge_brake=said.get("centrifuge_brake"),
        ),
        volume=said.get("volume"),
        at=said.get("at") or None,
    )


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _visit(request: StaffRequest, text: str) -> Visit | None:
    key = _key(text)
    seen = Visit.objects.visible_to(request.user, Capability.HANDLE_SAMPLES)
    rows = seen.select_related("subject__site", "site")
    return rows.filter(pk=key).first() if key else None


def _box(request: StaffRequest, text: str) -> Box | None:
    key = _key(text)
    seen = Box.objects.visible_to(request.user, Capability.HANDLE_SAMPLES)
    return seen.select_related("site", "rack__freezer").filter(pk=key).first() if key else None


def _page(
    request: StaffRequest,
    setting: Setting,
    form: ScanForm,
    *,
    answer: Answer | None = None,
    refused: DomainError | None = None,
    status: int = 200,
) -> HttpResponse:
    box = setting.box
    context = {
        "step": setting.step,
        "steps": [each for each in Step if each in _FORMS],
        "setting": setting,
        "visit": setting.visit,
        "visit_name": visit_name(setting.visit) if setting.visit else "",
        "tubes": _tubes(setting),
        "box": box,
        "next_place": _next_place(box) if box else "",
        "form": form,
        "answer": answer,
        "refused": refused,
        "headline": getattr(refused, "headline", _("Not done")),
        "plan": plan_of(setting.visit) if setting.visit else None,
    }
    code = 422 if refused is not None else status
    return render(request, "samples/scan.html", context, status=code)


def _next_place(box: Box) -> str:
    free = free_positions(box)
    return box.position_name(free[0]) if free else ""


#: What has been through each step.
_DONE: dict[Step, tuple[str, ...]] = {
    Step.COLLECT: (SpecimenState.PREPARED,),
    Step.RECEIVE: (SpecimenState.PREPARED, SpecimenState.COLLECTED),
    Step.SPIN: (SpecimenState.PREPARED, SpecimenState.COLLECTED, SpecimenState.RECEIVED),
}


def _tubes(setting: Setting) -> list[tuple[Specimen | Aliquot, bool]]:
    """The tubes of the visit with whether the step is done for each."""
    if setting.visit is None:
        return []
    if setting.step is Step.FREEZE:
        rows = Aliquot.objects.filter(specimen__visit=setting.visit, specimen__voided_at=None)
        made = rows.select_related("specimen__visit", "box").order_by("code")
        return [(each, each.state != AliquotState.MADE) for each in made]
    waiting = _DONE.get(setting.step)
    return [
        (
            each,
            each.state not in waiting
            if waiting
            else each.state not in {SpecimenState.PREPARED, *_LIVE},
        )
        for each in samples_of_visit(setting.visit).specimens
    ]


_LIVE = (SpecimenState.COLLECTED, SpecimenState.RECEIVED, SpecimenState.PROCESSED)
