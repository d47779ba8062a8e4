"""Holds, rules and reviews in the API."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import Site, User
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.access.signing import SigningBody, SigningProof, prove
from trialsite.casebook.api import ACT, DETAIL, LIST, SEES
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.selectors import current_version
from trialsite.conduct.models import Decision, GateReview, Hold, RuleKind, SafetySnapshot, Scope
from trialsite.conduct.rules import Standing
from trialsite.conduct.selectors import RuleLine, rule_lines, sees_every_site
from trialsite.conduct.services.committee import record_review
from trialsite.conduct.services.holds import lift_hold, place_hold, switch_rule
from trialsite.review.signing_api import CONFIGURES, SignatureAnswer, said_signature


class HoldAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField(allow_null=True, help_text="Empty: the whole study")
    scope = serializers.ChoiceField(choices=Scope.choices)
    reason = serializers.CharField()
    rule = serializers.CharField(help_text="The protocol's rule that asked for it, if any")
    placed_by = serializers.CharField()
    placed_at = serializers.DateTimeField()
    lifted_at = serializers.DateTimeField(allow_null=True)
    lift_reason = serializers.CharField()
    lift_signature = SignatureAnswer(allow_null=True)


class NewHold(Body):
    site = serializers.CharField(
        max_length=3, allow_null=True, help_text="SITEID; null: the whole study"
    )
    scope = serializers.ChoiceField(choices=Scope.choices)
    reason = serializers.CharField(max_length=1000)


class LiftBody(SigningBody):
    reason = serializers.CharField(max_length=1000)


class RuleInput(serializers.Serializer[Any]):
    name = serializers.CharField()
    value = serializers.CharField()


class RuleAnswer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=RuleKind.choices)
    key = serializers.CharField()
    name = serializers.CharField()
    name_zh = serializers.CharField()
    standing = serializers.ChoiceField(choices=[each.value for each in Standing])
    says = serializers.CharField(
        help_text="Why the next subject must wait, or what the rule's inputs come to; on or off"
    )
    enrolled = serializers.IntegerField(allow_null=True)
    with_data = serializers.IntegerField(allow_null=True)
    inputs = RuleInput(many=True, allow_null=True, help_text="Empty unless you see every site")
    met = serializers.BooleanField(
        allow_null=True, help_text="Whether the inputs meet the rule, on or off"
    )
    waiting = serializers.IntegerField(help_text="Proposals of it that nobody has decided")
    signature = SignatureAnswer(allow_null=True)


class SwitchBody(SigningBody):
    kind = serializers.ChoiceField(choices=RuleKind.choices)
    key = serializers.CharField(max_length=60)
    active = serializers.BooleanField()
    reason = serializers.CharField(max_length=500)


class ReviewAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    gate = serializers.CharField()
    number = serializers.IntegerField()
    decision = serializers.ChoiceField(choices=Decision.choices)
    meeting_on = serializers.DateField()
    document = serializers.CharField()
    comment = serializers.CharField()
    enrolled = serializers.IntegerField()
    with_data = serializers.IntegerField()
    next_after = serializers.IntegerField(allow_null=True)
    next_on = serializers.DateField(allow_null=True)
    covers = serializers.ListField(
        child=serializers.UUIDField(),
        help_text="The subjects let pass; empty unless you see every site",
    )
    snapshot = serializers.UUIDField(allow_null=True, help_text="The data cut that was reviewed")
    signature = SignatureAnswer()


class NewReview(SigningBody):
    gate = serializers.CharField(
        max_length=60, allow_blank=True, help_text="Empty: of the study as a whole"
    )
    decision = serializers.ChoiceField(choices=Decision.choices)
    meeting_on = serializers.DateField()
    document = serializers.CharField(max_length=500)
    comment = serializers.CharField(max_length=1000, required=False, default="", allow_blank=True)
    next_after = serializers.IntegerField(
        min_value=1, max_value=10_000, required=False, default=None, allow_null=True
    )
    next_on = serializers.DateField(required=False, default=None, allow_null=True)
    covers = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        default=list,
        max_length=1000,
        help_text="At a sentinel gate: subjects without data of the day who are let pass",
    )
    snapshot = serializers.UUIDField(required=False, default=None, allow_null=True)


def said_hold(hold: Hold) -> dict[str, Any]:
    fields = ("scope", "reason", "rule", "placed_at", "lifted_at", "lift_reason")
    return {
        "id": hold.pk,
        "SITEID": hold.site.code if hold.site else None,
        **{name: getattr(hold, name) for name in fields},
        "placed_by": hold.placed_by_whom,
        "lift_signature": said_signature(hold.lift_signature) if hold.lift_signature else None,
    }


def said_rule(line: RuleLine) -> dict[str, Any]:
    rule, facts = line.rule, line.facts
    return {
        "kind": rule.kind,
        "key": rule.key,
        "name": rule.proposal.name.en,
        "name_zh": rule.proposal.name.zh,
        "standing": rule.standing,
        "says": line.watched.says if line.watched else line.says,
        "enrolled": facts.enrolled if facts else None,
        "with_data": facts.with_data if facts else None,
        "inputs": _said_inputs(line),
        "met": line.watched.met if line.watched else None,
        "waiting": line.waiting,
        "signature": said_signature(rule.decision.signature) if rule.decision else None,
    }


def _said_inputs(line: RuleLine) -> list[dict[str, str]] | None:
    if line.watched is None:
        return None
    return [{"name": str(name), "value": value} for name, value in line.watched.inputs]


def said_review(review: GateReview, *, whole: bool = True) -> dict[str, Any]:
    """A review; what the committee wrote beside it is for whoever sees every site (D6)."""
    fields = ("gate", "number", "decision", "meeting_on", "document", "enrolled",
              "with_data", "next_after", "next_on")  # fmt: skip
    return {
        "id": review.pk,
        **{name: getattr(review, name) for name in fields},
        "comment": review.comment if whole else "",
        "covers": review.covers if whole else [],
        "snapshot": review.snapshot_id if whole else None,
        "signature": said_signature(review.signature),
    }


class SignedEndpoint(Endpoint):
    """An endpoint whose POST is signed by the study-wide principal investigator."""

    def proof(self, body: dict[str, Any]) -> SigningProof:
        """Both factors of the person, taken out of what the service is given."""
        self.request.user.require_study_wide(Capability.CONFIGURE_STUDY)
        return prove(self.request, password=body.pop("password"), code=body.pop("code"))


class Holds(SignedEndpoint):
    policy = {"GET": SEES, "POST": Policy(Audience.STAFF, Capability.HOLD)}
    serializer_class = HoldAnswer
    filters = {
        "site": Filter("site__code"),
        "scope": Filter("scope", choices=tuple(Scope.values)),
    }

    def rows(self) -> Any:
        seen = Hold.objects.visible_to(self.request.user)
        return seen.select_related(
            "site",
            "placed_by",
            "activation__decided_by",
            "lift_signature__site",
            "lift_signature__record",
        ).order_by("-placed_at", "pk")

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), said_hold)

    def retrieve(self, request: Request, hold: uuid.UUID) -> Response:
        return Response(said_hold(self.found(self.rows(), pk=hold)))

    @extend_schema(request=NewHold, responses={201: HoldAnswer})
    def create(self, request: Request) -> Response:
        """Pause enrolment, treatment or both, from this moment on."""
        body = self.body(NewHold)
        body["site"] = _site(self.request.user, body["site"])
        hold = place_hold(**body, by=self.request.user)
        return Response(said_hold(self.rows().get(pk=hold.pk)), status.HTTP_201_CREATED)


def _site(user: User, code: str | None) -> Site | None:
    if code is None:
        return None
    site = Site.objects.filter(pk__in=user.access.sites(Capability.HOLD), code=code).first()
    if site is None:
        raise ValidationError({"site": [_("There is no such site for you.")]})
    return site


class Lift(Holds):
    policy = {"POST": CONFIGURES}

    @extend_schema(request=LiftBody, responses=HoldAnswer)
    def create(self, request: Request, hold: uuid.UUID) -> Response:  # type: ignore[override]
        """Let the study go on, by signature and with a reason."""
        found = self.found(self.rows(), pk=hold)
        body = self.body(LiftBody)
        proof = self.proof(body)
        lift_hold(hold=found, reason=body["reason"], by=self.request.user, proof=proof)
        return self.retrieve(request, hold)


class RulesAnswer(serializers.Serializer[Any]):
    version = serializers.CharField()
    rules = RuleAnswer(many=True)


class Rules(SignedEndpoint):
    policy = {"GET": SEES, "POST": CONFIGURES}
    serializer_class = RulesAnswer

    def retrieve(self, request: Request) -> Response:
        """The rules that the protocol proposes, whether they are active, and what they say."""
        return Response(_said_rules(current_version(), self.request.user))

    @extend_schema(request=SwitchBody, responses={201: RulesAnswer})
    def create(self, request: Request) -> Response:
        """Switch a rule on or off by signature."""
        body = self.body(SwitchBody)
        version, proof = current_version(), self.proof(body)
        switch_rule(
            version=version,
            kind=RuleKind(body["kind"]),
            rule=body["key"],
            active=body["active"],
            reason=body["reason"],
            by=self.request.user,
            proof=proof,
        )
        return Response(_said_rules(version, self.request.user), status.HTTP_201_CREATED)


def _said_rules(version: ProtocolVersion, viewer: User) -> dict[str, Any]:
    lines = rule_lines(version.pk, viewer=viewer)
    return {"version": version.version, "rules": [said_rule(line) for line in lines]}


class GateReviews(SignedEndpoint):
    policy = {"GET": SEES, "POST": CONFIGURES}
    serializer_class = ReviewAnswer
    filters = {"gate": Filter("gate")}

    def rows(self) -> Any:
        seen = GateReview.objects.visible_to(self.request.user)
        found = seen.select_related("signature__site", "signature__record")
        return found.order_by("gate", "number")

    def list(self, request: Request) -> Response:
        whole = sees_every_site(self.request.user)
        return self.page(self.rows(), partial(said_review, whole=whole))

    @extend_schema(request=NewReview, responses={201: ReviewAnswer})
    def create(self, request: Request) -> Response:
        """Record what a safety review decided at a gate, by signature."""
        body = self.body(NewReview)
        version, proof = current_version(), self.proof(body)
        body["snapshot"] = _snapshot(body["snapshot"], self.request.user)
        review = record_review(**body, version=version, by=self.request.user, proof=proof)
        return Response(said_review(self.rows().get(pk=review.pk)), status.HTTP_201_CREATED)


def _snapshot(key: uuid.UUID | None, user: User) -> SafetySnapshot | None:
    """The named snapshot; whoever records reviews sees every site."""
    found = SafetySnapshot.objects.visible_to(user).filter(pk=key).first() if key else None
    if key and found is None:
        raise ValidationError({"snapshot": [_("There is no such snapshot.")]})
    return found


routes: list[URLPattern] = [
    path("holds/", Holds.as_view({"get": "list", "post": "create"})),
    path("holds/<uuid:hold>/", Holds.as_view(DETAIL)),
    path("holds/<uuid:hold>/lift/", Lift.as_view(ACT)),
    path("rules/", Rules.as_view({"get": "retrieve", "post": "create"})),
    path("gate-reviews/", GateReviews.as_view({**LIST, **ACT})),
]
