"""Codes of terms in the API: what waits, a code given, a list taken, every code there was."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.api import ACT, LIST, SEES
from trialsite.crf.coding.importing import CodingListError, import_codes
from trialsite.crf.coding.services import CHANGED, Code, code_term
from trialsite.crf.coding.terms import STATES, Term, said_terms, term_of, terms_of
from trialsite.crf.models import DICTIONARIES, Coding

CODES = Policy(Audience.STAFF, Capability.CODE_TERMS)


class CodingAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    record = serializers.UUIDField()
    row = serializers.UUIDField()
    item = serializers.CharField()
    verbatim = serializers.CharField()
    dictionary = serializers.CharField()
    version = serializers.CharField()
    code = serializers.CharField()
    term = serializers.CharField()
    levels = serializers.DictField(child=serializers.DictField(child=serializers.CharField()))
    coded_at = serializers.DateTimeField()
    superseded_at = serializers.DateTimeField(allow_null=True)


class TermAnswer(serializers.Serializer[Any]):
    site = serializers.CharField()
    subject = serializers.UUIDField()
    record = serializers.UUIDField()
    row = serializers.UUIDField()
    item = serializers.CharField()
    verbatim = serializers.CharField()
    dictionary = serializers.CharField()
    coding_state = serializers.ChoiceField(choices=["uncoded", "changed", "coded"])
    code = CodingAnswer(allow_null=True)
    suggestion = CodingAnswer(allow_null=True)


class CodeBody(Body):
    verbatim = serializers.CharField(max_length=500, trim_whitespace=False)
    version = serializers.CharField(max_length=20)
    code = serializers.CharField(max_length=40)
    term = serializers.CharField(max_length=300)
    levels = serializers.DictField(
        child=serializers.DictField(child=serializers.CharField(max_length=300, allow_blank=True)),
        required=False,
        default=dict,
    )


class ListBody(Body):
    text = serializers.CharField(help_text="The table as CSV; its first line names the columns.")


class ListAnswer(serializers.Serializer[Any]):
    coded = serializers.IntegerField()
    idle = serializers.IntegerField(help_text="Lines whose words wait nowhere.")


def said_code(coding: Coding) -> dict[str, Any]:
    names = ("id", "item_oid", "verbatim", "dictionary", "version", "code", "term", "levels")
    said = {name: getattr(coding, name) for name in names}
    said["item"] = said.pop("item_oid")
    return said | {
        "record": coding.record_id,
        "row": coding.row_id,
        "coded_at": coding.coded_at,
        "superseded_at": coding.superseded_at,
    }


def said_term(term: Term) -> dict[str, Any]:
    return {
        "site": term.record.site.code,
        "subject": term.record.subject_id,
        "record": term.record.pk,
        "row": term.row_id,
        "item": term.item_oid,
        "verbatim": term.verbatim,
        "dictionary": term.item.dictionary,
        "coding_state": term.state,
        "code": said_code(term.standing) if term.standing else None,
        "suggestion": said_code(term.suggestion) if term.suggestion else None,
    }


class Terms(Endpoint):
    """What stands in the coded items of completed forms, with the code that stands for it."""

    policy = {"GET": CODES}
    serializer_class = TermAnswer
    filters = {
        "state": Filter("state", choices=tuple(STATES)),
        "dictionary": Filter("dictionary", choices=tuple(DICTIONARIES)),
    }

    def list(self, request: Request) -> Response:
        asked = {name: request.GET.get(name) for name in self.filters}
        wrong = [
            name
            for name, text in asked.items()
            if text is not None and text not in self.filters[name].choices
        ]
        if wrong:
            raise ValidationError({name: [_("This value cannot be used here.")] for name in wrong})
        rows = terms_of(
            self.request.user, state=asked["state"] or "open", dictionary=asked["dictionary"] or ""
        )
        chosen = self.paginate_queryset(rows) or []
        terms = said_terms(chosen, self.request.user)
        return self.get_paginated_response([said_term(term) for term in terms])


class GiveCode(Endpoint):
    policy = {"POST": CODES}
    serializer_class = CodingAnswer

    @extend_schema(request=CodeBody, responses=CodingAnswer)
    def create(self, request: Request, item: str, term: uuid.UUID) -> Response:
        """Give a term its code; refused where the words are not those that were read."""
        found = term_of(self.request.user, item, term)
        if found is None:
            raise NotFound
        body = self.body(CodeBody)
        if body.pop("verbatim") != found.verbatim:
            raise ValidationError({"verbatim": [CHANGED]})
        coding = code_term(term=found, code=Code(**body), by=self.request.user)
        return Response(said_code(coding))


class TakeList(Endpoint):
    policy = {"POST": CODES}
    serializer_class = ListAnswer

    @extend_schema(request=ListBody, responses=ListAnswer)
    def create(self, request: Request) -> Response:
        """Take a coding list: every waiting term whose words it names, all or nothing."""
        text = self.body(ListBody)["text"]
        try:
            taken = import_codes(text=text, by=self.request.user)
        except CodingListError as error:
            problems = {str(line): [said] for line, said in error.problems.items()}
            raise ValidationError(problems) from error
        return Response({"coded": taken.coded, "idle": taken.idle})


class Codings(Endpoint):
    """Every code that was given, superseded ones too."""

    policy = {"GET": SEES}
    serializer_class = CodingAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "record": Filter("record_id", uuid.UUID),
        "dictionary": Filter("dictionary", choices=tuple(DICTIONARIES)),
    }

    def list(self, request: Request) -> Response:
        rows = Coding.objects.visible_to(self.request.user).order_by("coded_at", "pk")
        return self.page(rows, said_code)


routes: list[URLPattern] = [
    path("coding/terms/", Terms.as_view(LIST)),
    path("coding/terms/<str:item>/<uuid:term>/", GiveCode.as_view(ACT)),
    path("coding/list/", TakeList.as_view(ACT)),
    path("codings/", Codings.as_view(LIST)),
]
