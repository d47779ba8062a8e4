"""Labels in the API: printed as PDF, once however often it is asked for with one key."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections import defaultdict
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api.acting import SampleEndpoint
from samples.api.bodies import HANDLES, text
from samples.labels import LAYOUTS
from samples.models import Aliquot, LabelPrint, Specimen
from samples.selectors.codes import find, parent_of, read_code
from samples.services.labels import Wanted, labels_of, print_labels
from trialsite.access.bodies import Body
from trialsite.access.models import User
from trialsite.access.paging import Filter
from trialsite.casebook.api import SEES


class LabelAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    code = serializers.CharField()
    specimen = serializers.UUIDField()
    aliquot_number = serializers.IntegerField(help_text="0: the specimen's own label")
    copy = serializers.IntegerField()
    reason = serializers.CharField(help_text="Why printed again")
    sheet = serializers.UUIDField(help_text="What was printed together")
    printed_by = serializers.CharField()
    printed_at = serializers.DateTimeField()


class SheetAnswer(serializers.Serializer[Any]):
    labels = LabelAnswer(many=True)
    pdf = serializers.CharField(help_text="The labels as PDF, base64")


class PrintBody(Body):
    codes = serializers.ListField(
        child=serializers.CharField(max_length=60),
        min_length=1,
        max_length=200,
        help_text="Of specimens and aliquots, also of aliquots that are yet to be made",
    )
    aliquots = serializers.BooleanField(
        default=False, help_text="Behind each specimen the labels of its aliquots too"
    )
    layout = serializers.ChoiceField(choices=list(LAYOUTS))
    skip = serializers.IntegerField(
        min_value=0, max_value=100, default=0, help_text="Places already used on the first sheet"
    )
    reason = text(300, "Needed for what has been printed before")


def said_label(label: LabelPrint) -> dict[str, Any]:
    plain = ("code", "aliquot_number", "copy", "reason", "sheet", "printed_at")
    return {
        "id": label.pk,
        "SITEID": label.site.code,
        "specimen": label.specimen_id,
        "printed_by": label.printed_by.full_name,
        **{name: getattr(label, name) for name in plain},
    }


def labels_wanted(codes: list[str], by: User, *, aliquots: bool) -> list[Wanted]:
    """The label of each code, in their order; an unknown one is refused by its name."""
    named = {code: _label(code, by) for code in dict.fromkeys(codes)}
    unknown = [code for code, label in named.items() if label is None]
    wanted = [label for label in named.values() if label is not None]
    behind: dict[uuid.UUID, list[Wanted]] = defaultdict(list)
    if aliquots:
        for each in labels_of([label.specimen for label in wanted if not label.number]):
            behind[each.specimen.pk].append(each)
    found: list[Wanted] = []
    for label in wanted:
        found += [label] if label.number else behind[label.specimen.pk] or [label]
    if unknown:
        said = _("No sample of your sites has the code %(code)s.")
        raise ValidationError({"codes": [said % {"code": each[:40]} for each in unknown]})
    return list({each.code: each for each in found}.values())


def _label(code: str, by: User) -> Wanted | None:
    named = find(code, by).named
    if isinstance(named, Specimen):
        return Wanted(named)
    if isinstance(named, Aliquot):
        return Wanted(named.specimen, named.number)
    return _planned(code, by) if named is None else None


def _planned(text: str, by: User) -> Wanted | None:
    """The label of an aliquot that is yet to be made."""
    code = read_code(text)
    parent = parent_of(code, by)
    part = code.split("-")[2] if parent else ""
    label = Wanted(parent, int(part)) if parent and part.isdigit() else None
    return label if label and label.code == code else None


class Labels(SampleEndpoint):
    policy = {"GET": SEES, "POST": HANDLES}
    serializer_class = LabelAnswer
    filters = {
        "site": Filter("site__code"),
        "specimen": Filter("specimen", uuid.UUID),
        "code": Filter("code"),
        "sheet": Filter("sheet", uuid.UUID),
    }

    def rows(self) -> Any:
        seen = LabelPrint.objects.visible_to(self.request.user)
        return seen.select_related("site", "printed_by").order_by("printed_at", "code", "pk")

    def list(self, request: Request) -> Response:
        """Every printing of every label."""
        return self.page(self.rows(), said_label)

    @extend_schema(request=PrintBody, responses={201: SheetAnswer})
    def create(self, request: Request) -> Response:
        """Print labels; what has been printed before needs the reason, which is kept."""
        body, by = self.body(PrintBody), self.request.user
        wanted = labels_wanted(body["codes"], by, aliquots=body["aliquots"])
        with self.acting():
            made = print_labels(
                wanted=wanted,
                layout=body["layout"],
                skip=body["skip"],
                reason=body["reason"],
                by=by,
            )
        printed = self.rows().filter(printed_by=by, code__in=[each.code for each in wanted])
        last = printed.order_by("-printed_at", "-copy").values_list("sheet", flat=True).first()
        said = [said_label(each) for each in printed.filter(sheet=last)]
        answer = {"labels": said, "pdf": b64encode(made).decode()}
        return Response(answer, status.HTTP_201_CREATED)


label_routes: list[URLPattern] = [
    path("labels/", Labels.as_view({"get": "list", "post": "create"})),
]
