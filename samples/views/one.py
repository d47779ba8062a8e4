"""One sample by its code: where it stands, what happened to it, and what can be done."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from samples.forms import (
    AliquotForm,
    AnalysisForm,
    CorrectForm,
    EndForm,
    FactsForm,
    ReasonAndTimeForm,
    SpinForm,
    TimeForm,
    VolumeForm,
)
from samples.lab_results import results_of
from samples.models import Aliquot, CustodyEvent, CustodyKind, Specimen
from samples.selectors.codes import find
from samples.selectors.destruction import open_list_of
from samples.selectors.excursions import excursions_of
from samples.selectors.people import witnesses_at
from samples.selectors.sprec import sprecs_of
from samples.services.aliquots import (
    analyse_aliquot,
    correct_volume,
    end_aliquot,
    find_aliquot,
    thaw_aliquot,
    use_up_aliquot,
)
from samples.services.specimen_ends import correct_time, end_specimen, find_specimen, void_specimen
from samples.services.specimens import (
    aliquot_specimen,
    centrifuge_specimen,
    collect_specimen,
    describe_specimen,
    receive_specimen,
)
from samples.views.acting import GET_AND_POST, act_page, typed
from trialsite.access.capabilities import Capability
from trialsite.access.forms import ReasonForm
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.protocols import protocol_of, visit_name
from trialsite.labs.models import LabResult

Sample = Specimen | Aliquot


def sample_for(request: StaffRequest, code: str) -> Sample:
    """The sample with this code at the person's sites, else 404."""
    found = find(code, request.user).named
    if not isinstance(found, Specimen | Aliquot):
        raise Http404
    return found


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def sample(request: StaffRequest, code: str) -> HttpResponse:
    """One specimen or aliquot with its whole custody."""
    found = sample_for(request, code)
    specimen = found.specimen if isinstance(found, Aliquot) else found
    aliquot = found if isinstance(found, Aliquot) else None
    may = request.user.can(Capability.HANDLE_SAMPLES, site=found.site_id)
    destruction = open_list_of(specimen.subject_id)
    context = {
        "sample": found,
        "specimen": specimen,
        "aliquot": aliquot,
        "visit_name": visit_name(specimen.visit),
        "aliquots": specimen.aliquots.select_related("box").order_by("number"),
        "custody": _custody(specimen, aliquot),
        "destruction": destruction,
        "sprec": sprecs_of([aliquot])[aliquot.pk] if aliquot else None,
        "excursions": excursions_of(aliquot) if aliquot else [],
        "results": [(each, _analyte(each)) for each in results_of(specimen, aliquot)],
        "acts": _offered(found, withdrawn=destruction is not None) if may else [],
        "usual": _USUAL,
        "may_handle": may,
    }
    return render(request, "samples/sample.html", context)


def _analyte(result: LabResult) -> str:
    """What was measured, by the protocol's name in the present language."""
    labs = protocol_of(result.panel.record.protocol_version_id).labs
    named = {each.key: each.name for each in labs.analytes} if labs else {}
    name = named.get(result.analyte)
    return name.in_language(get_language() or "en") if name else result.analyte


def _custody(specimen: Specimen, aliquot: Aliquot | None) -> list[CustodyEvent]:
    """What happened to it; an aliquot's begins with its specimen's."""
    own = Q(aliquot=None) if aliquot is None else Q(aliquot=None) | Q(aliquot=aliquot)
    rows = CustodyEvent.objects.filter(own, specimen=specimen)
    named = rows.select_related("entered_by", "box", "shipment", "corrects", "aliquot", "witness")
    return list(
        named.order_by("aliquot_id", "number")
        if aliquot is None
        else named.order_by("entered_at", "number")
    )


#: The next steps of a sample's way; what ends or thaws it is never the loudest button.
_USUAL = ("collect", "receive", "spin", "aliquot", "found")
#: What is not offered any more once the consent for samples is withdrawn.
_NEED_CONSENT = ("thaw", "analyse", "used", "spin", "aliquot")


def _offered(found: Sample, *, withdrawn: bool) -> list[tuple[str, str]]:
    """The acts that its state lets be done, by their addresses, the usual one first."""
    names: dict[str, tuple[str, ...]] = {
        "prepared": ("collect", "void"),
        "collected": ("receive", "spin", "aliquot", "describe", "end", "void"),
        "received": ("spin", "aliquot", "describe", "end", "void"),
        "processed": ("aliquot", "describe", "end", "void"),
        "aliquoted": ("describe", "void"),
        "lost": ("found", "end", "describe"),
    }
    parts: dict[str, tuple[str, ...]] = {
        "made": ("analyse", "used", "volume", "end"),
        "stored": ("thaw", "volume", "end"),
        "held": ("thaw", "volume", "end"),
        "away": ("analyse", "used", "thaw", "volume", "end"),
        "thawed": ("analyse", "used", "volume", "end"),
        "lost": ("found", "end"),
    }
    if isinstance(found, Specimen):
        offered = () if found.voided_at else names.get(found.state, ())
        if found.matrix != "blood":
            offered = tuple(each for each in offered if each != "spin")
    else:
        offered = parts.get(found.state, ())
    if withdrawn:
        offered = tuple(each for each in offered if each not in _NEED_CONSENT)
    return [(each, str(_WORDS[each]())) for each in offered]


_WORDS: dict[str, Callable[[], str]] = {
    "collect": lambda: _("Collected"),
    "receive": lambda: _("Received at the laboratory"),
    "spin": lambda: _("Centrifuged"),
    "aliquot": lambda: _("Make aliquots"),
    "describe": lambda: _("Add what it is like"),
    "end": lambda: _("Discard, destroy, lost"),
    "void": lambda: _("Void the specimen"),
    "thaw": lambda: _("Thaw"),
    "analyse": lambda: _("Analysed"),
    "used": lambda: _("Used up"),
    "volume": lambda: _("Put the volume right"),
    "found": lambda: _("Found again"),
}


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def act(request: StaffRequest, code: str, name: str) -> HttpResponse:
    """Do one act for one sample."""
    found = sample_for(request, code)
    request.user.require(Capability.HANDLE_SAMPLES, site=found.site_id)
    known = _SPECIMEN_ACTS if isinstance(found, Specimen) else _ALIQUOT_ACTS
    if name not in known:
        raise Http404
    form, do = known[name](request, found)
    specimen = found.specimen if isinstance(found, Aliquot) else found
    return act_page(
        request,
        form=form,
        act=do,
        done=_("Entered."),
        heading=_WORDS[name](),
        back=reverse("samples:sample", args=[found.code]),
        facts=[
            (_("Code"), found.code),
            (_("Specimen"), specimen.kind_name),
            (_("Subject"), specimen.subject.label),
            (_("Visit"), visit_name(specimen.visit)),
            (_("State"), found.get_state_display()),
        ],
        danger=name in {"end", "void"},
    )


Prepared = tuple[Any, Callable[[], object]]


def _collect(request: StaffRequest, it: Any) -> Prepared:
    form = TimeForm(typed(request))
    return form, lambda: collect_specimen(specimen=it, by=request.user, at=form.moment)


def _receive(request: StaffRequest, it: Any) -> Prepared:
    form = TimeForm(typed(request))
    return form, lambda: receive_specimen(specimen=it, by=request.user, at=form.moment)


def _spin(request: StaffRequest, it: Any) -> Prepared:
    form = SpinForm(typed(request))
    return form, lambda: centrifuge_specimen(
        specimen=it, by=request.user, at=form.moment, facts=form.facts
    )


def _aliquot(request: StaffRequest, it: Any) -> Prepared:
    form = AliquotForm(typed(request), initial={"count": it.definition.aliquots})
    return form, lambda: aliquot_specimen(
        specimen=it,
        by=request.user,
        at=form.moment,
        count=form.cleaned_data["count"],
        volume=form.cleaned_data["volume"],
    )


def _describe(request: StaffRequest, it: Any) -> Prepared:
    form = FactsForm(typed(request), specimen=it)
    return form, lambda: describe_specimen(
        specimen=it,
        facts=form.facts,
        reason=form.cleaned_data["reason"],
        by=request.user,
        base_version=form.cleaned_data["version"],
    )


def _end_specimen(request: StaffRequest, it: Any) -> Prepared:
    form = EndForm(typed(request), people=witnesses_at(it.site, beside=request.user))
    return form, lambda: end_specimen(
        specimen=it,
        kind=CustodyKind(form.cleaned_data["kind"]),
        reason=form.cleaned_data["reason"],
        by=request.user,
        at=form.moment,
        witness=form.second,
    )


def _end_aliquot(request: StaffRequest, it: Any) -> Prepared:
    form = EndForm(typed(request), people=witnesses_at(it.site, beside=request.user))
    return form, lambda: end_aliquot(
        aliquot=it,
        kind=CustodyKind(form.cleaned_data["kind"]),
        reason=form.cleaned_data["reason"],
        by=request.user,
        at=form.moment,
        witness=form.second,
    )


def _void(request: StaffRequest, it: Any) -> Prepared:
    form = ReasonForm(typed(request))
    return form, lambda: void_specimen(
        specimen=it, reason=form.cleaned_data["reason"], by=request.user
    )


def _timed(service: Callable[..., object]) -> Callable[[StaffRequest, Any], Prepared]:
    def prepared(request: StaffRequest, it: Any) -> Prepared:
        form = ReasonAndTimeForm(typed(request))
        named = "aliquot" if isinstance(it, Aliquot) else "specimen"
        return form, lambda: service(
            **{named: it}, reason=form.cleaned_data["reason"], by=request.user, at=form.moment
        )

    return prepared


def _analyse(request: StaffRequest, it: Any) -> Prepared:
    form = AnalysisForm(typed(request))
    return form, lambda: analyse_aliquot(
        aliquot=it,
        reason=form.cleaned_data["reason"],
        amount=form.taken,
        by=request.user,
        at=form.moment,
    )


def _volume(request: StaffRequest, it: Any) -> Prepared:
    form = VolumeForm(typed(request), initial={"volume": it.volume})
    return form, lambda: correct_volume(
        aliquot=it,
        volume=form.cleaned_data["volume"],
        reason=form.cleaned_data["reason"],
        by=request.user,
    )


_SPECIMEN_ACTS: dict[str, Callable[[StaffRequest, Any], Prepared]] = {
    "collect": _collect,
    "receive": _receive,
    "spin": _spin,
    "aliquot": _aliquot,
    "describe": _describe,
    "end": _end_specimen,
    "found": _timed(find_specimen),
    "void": _void,
}
_ALIQUOT_ACTS: dict[str, Callable[[StaffRequest, Any], Prepared]] = {
    "thaw": _timed(thaw_aliquot),
    "found": _timed(find_aliquot),
    "analyse": _analyse,
    "used": _timed(use_up_aliquot),
    "volume": _volume,
    "end": _end_aliquot,
}


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def correct(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Put the time of an event right."""
    seen = CustodyEvent.objects.visible_to(request.user, Capability.HANDLE_SAMPLES)
    event = get_object_or_404(
        seen.select_related("specimen__site", "aliquot__site"),
        ~Q(kind=CustodyKind.CORRECTED),
        pk=pk,
    )
    sample = event.aliquot or event.specimen
    form: forms.Form = CorrectForm(typed(request), initial={"at": event.happened_at})
    return act_page(
        request,
        form=form,
        act=lambda: correct_time(
            event=event,
            at=form.cleaned_data["at"],
            reason=form.cleaned_data["reason"],
            by=request.user,
        ),
        done=_("The time is put right. Both times stay in the custody log."),
        heading=_("Put the time right"),
        back=reverse("samples:sample", args=[sample.code]),
        facts=[
            (_("Code"), sample.code),
            (_("Event"), event.get_kind_display()),
            (_("Observed"), f"{event.happened_at:%Y-%m-%d %H:%M}"),
        ],
    )
