"""Labels of a visit's tubes, or of one sample, as a PDF to print."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from samples.labels import LAYOUTS
from samples.models import Aliquot, Box, Freezer, LabelPrint
from samples.selectors.codes import read_code
from samples.selectors.plan import samples_of_visit
from samples.services.labels import Wanted, box_labels, labels_of, print_labels
from samples.views.acting import GET_AND_POST, did, typed
from samples.views.one import sample_for
from samples.views.visits import visit_for
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires


class LabelsForm(forms.Form):
    """Which sheet, from which place on, and why again."""

    layout = forms.ChoiceField(
        label=_("Sheet of labels"), choices=[(each.key, each.title) for each in LAYOUTS.values()]
    )
    skip = forms.IntegerField(
        label=_("Places already used on the first sheet"), min_value=0, max_value=100, initial=0
    )
    aliquots = forms.BooleanField(
        label=_("Labels of the aliquots too"), required=False, initial=True
    )
    again = forms.BooleanField(
        label=_("Also what has been printed before"), required=False, initial=False
    )
    reason = forms.CharField(label=_("Why printed again"), max_length=300, required=False)


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def of_visit(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Labels of all numbered tubes of a visit and of their aliquots."""
    found = visit_for(request, pk, Capability.HANDLE_SAMPLES)
    specimens = samples_of_visit(found).specimens

    def wanted(form: forms.Form) -> list[Wanted]:
        every = labels_of(specimens, aliquots=form.cleaned_data["aliquots"])
        return every if form.cleaned_data["again"] else _new(every)

    return _page(request, wanted, reverse("samples:visit", args=[pk]))


@requires(Capability.HANDLE_SAMPLES)
@require_http_methods(GET_AND_POST)
def of_sample(request: StaffRequest, code: str) -> HttpResponse:
    """The label of one specimen or aliquot."""
    found = sample_for(request, code)
    one = Wanted(found.specimen, found.number) if isinstance(found, Aliquot) else Wanted(found)
    return _page(
        request, lambda _form: [one], reverse("samples:sample", args=[found.code]), one=one
    )


@requires(Capability.HANDLE_SAMPLES)
@require_safe
def of_box(request: StaffRequest, code: str) -> HttpResponse:
    """The label of one box, for the label printer."""
    seen = Box.objects.visible_to(request.user, Capability.HANDLE_SAMPLES)
    box = get_object_or_404(seen.select_related("site", "rack__freezer"), code=read_code(code))
    return _pdf(box_labels([box], "single"), box.code)


@requires(Capability.HANDLE_SAMPLES)
@require_safe
def of_freezer(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """A sheet with the labels of every box in a freezer."""
    seen = Freezer.objects.visible_to(request.user, Capability.HANDLE_SAMPLES)
    freezer = get_object_or_404(seen, pk=pk)
    boxes = Box.objects.filter(rack__freezer=freezer).select_related("site", "rack__freezer")
    found = list(boxes.order_by("rack__name", "place"))
    if not found:
        raise Http404
    return _pdf(box_labels(found, "a4-4x12"), "boxes")


def _pdf(content: bytes, name: str) -> HttpResponse:
    answer = HttpResponse(content, content_type="application/pdf")
    answer["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    return answer


def _new(wanted: list[Wanted]) -> list[Wanted]:
    codes = [each.code for each in wanted]
    seen = set(LabelPrint.objects.filter(code__in=codes).values_list("code", flat=True))
    return [each for each in wanted if each.code not in seen]


def _page(
    request: StaffRequest,
    wanted: Callable[[forms.Form], list[Wanted]],
    back: str,
    *,
    one: Wanted | None = None,
) -> HttpResponse:
    initial = {"layout": "single"} if one else {}
    form = LabelsForm(typed(request), initial=initial)
    if one is not None:
        del form.fields["aliquots"], form.fields["again"]
    made: list[bytes] = []
    if form.is_valid() and did(request, form, lambda: made.append(_printed(request, form, wanted))):
        return _pdf(made[0], "labels")
    context: dict[str, Any] = {"form": form, "back": back, "one": one}
    return render(request, "samples/labels.html", context, status=422 if form.errors else 200)


def _printed(
    request: StaffRequest, form: forms.Form, wanted: Callable[[forms.Form], list[Wanted]]
) -> bytes:
    said = form.cleaned_data
    return print_labels(
        wanted=wanted(form),
        layout=said["layout"],
        skip=said["skip"],
        reason=said["reason"],
        by=request.user,
    )
