"""Lots, their tests and decisions, the sites' accounts, and what was loaded."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from screening.api.consent import wall_of
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import Site, User
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.access.signing import prove
from trialsite.casebook.api import ACT, DETAIL, ENTERS, SEES
from trialsite.core.clock import trial_now
from trialsite.review.signing_api import CONFIGURES
from visits.api import product_answers as shapes
from visits.models import (
    LoadedProduct,
    LotMovement,
    LotState,
    MovementKind,
    ProductLot,
    TreatmentSession,
)
from visits.selectors.products import lot_of, lots_said, recall, staff_at
from visits.services import products as services

MANAGES = Policy(Audience.STAFF, Capability.MANAGE_PRODUCT)
HOLDS = Policy(Audience.STAFF, Capability.HOLD)


def _lot(code: str) -> ProductLot:
    lot = lot_of(code)
    if lot is None:
        raise NotFound
    return lot


def _said(code: str) -> dict[str, Any]:
    return shapes.said_lot(lots_said().get(pk=_lot(code).pk), trial_now())


class ProductLots(Endpoint):
    policy = {"GET": SEES, "POST": MANAGES}
    serializer_class = shapes.LotAnswer
    filters = {"state": Filter("state", choices=tuple(LotState.values)), "code": Filter("code")}

    def list(self, request: Request) -> Response:
        now = trial_now()
        return self.page(lots_said(), lambda lot: shapes.said_lot(lot, now))

    def retrieve(self, request: Request, code: str) -> Response:
        return Response(_said(code))

    @extend_schema(request=shapes.NewLot, responses={201: shapes.LotAnswer})
    def create(self, request: Request) -> Response:
        """Register a lot; nobody may use it before it is released."""
        body = self.body(shapes.NewLot)
        code = body.pop("code")
        lot = services.register_lot(
            code=code, facts=services.LotFacts(**body), by=self.request.user
        )
        return Response(_said(lot.code), status.HTTP_201_CREATED)


class LotCorrection(Endpoint):
    policy = {"POST": MANAGES}

    @extend_schema(request=shapes.CorrectLot, responses=shapes.LotAnswer)
    def create(self, request: Request, code: str) -> Response:
        """Put right what is said of a lot that nobody may use at present."""
        lot, body = _lot(code), self.body(shapes.CorrectLot)
        reason = body.pop("reason")
        facts = services.LotFacts(**body)
        services.correct_lot(lot=lot, facts=facts, reason=reason, by=self.request.user)
        return Response(_said(code))


class LotRelease(Endpoint):
    policy = {"POST": CONFIGURES}

    @extend_schema(request=shapes.ReleaseBody, responses=shapes.LotAnswer)
    def create(self, request: Request, code: str) -> Response:
        """Release a lot by signature, also after a quarantine."""
        lot, by = _lot(code), self.request.user
        by.require_study_wide(Capability.CONFIGURE_STUDY)
        body = self.body(shapes.ReleaseBody)
        proof = prove(self.request, password=body["password"], code=body["code"])
        services.release_lot(lot=lot, reason=body["reason"], by=by, proof=proof)
        return Response(_said(code))


class LotQuarantine(Endpoint):
    policy = {"POST": HOLDS}

    @extend_schema(request=shapes.ReasonedBody, responses=shapes.LotAnswer)
    def create(self, request: Request, code: str) -> Response:
        """Stop a lot everywhere at once."""
        lot, body = _lot(code), self.body(shapes.ReasonedBody)
        services.quarantine_lot(lot=lot, reason=body["reason"], by=self.request.user)
        return Response(_said(code))


class LotClosing(Endpoint):
    policy = {"POST": HOLDS}

    @extend_schema(request=shapes.ReasonedBody, responses=shapes.LotAnswer)
    def create(self, request: Request, code: str) -> Response:
        """Close a lot of which no site has anything left."""
        lot, body = _lot(code), self.body(shapes.ReasonedBody)
        services.close_lot(lot=lot, reason=body["reason"], by=self.request.user)
        return Response(_said(code))


class LotRecall(Endpoint):
    policy = {"GET": SEES, "POST": HOLDS}
    serializer_class = shapes.RecallAnswer

    def retrieve(self, request: Request, code: str) -> Response:
        """Whom the lot reached and where units of it are, at the person's sites."""
        found = recall(_lot(code), self.request.user)
        return Response(
            {
                "lot": _said(code),
                "loaded": [shapes.said_loaded(each) for each in found.loads],
                "accounts": [shapes.said_account(each) for each in found.accounts],
                "inform": [
                    {"SITEID": site.code, "people": [each.full_name for each in people]}
                    for site, people in found.inform
                ],
            }
        )

    @extend_schema(request=shapes.ReasonedBody, responses={201: shapes.RecallAnswer})
    def create(self, request: Request, code: str) -> Response:
        """Recall a lot for good; the sites that received it are told at once."""
        lot, body = _lot(code), self.body(shapes.ReasonedBody)
        services.recall_lot(lot=lot, reason=body["reason"], by=self.request.user)
        answer = self.retrieve(request, code)
        answer.status_code = status.HTTP_201_CREATED
        return answer


class ReleaseTests(Endpoint):
    policy = {"GET": SEES, "POST": MANAGES}
    serializer_class = shapes.TestAnswer

    def list(self, request: Request, code: str) -> Response:
        rows = _lot(code).tests.select_related("entered_by").order_by("entered_at", "pk")
        return self.page(rows, shapes.said_test)

    @extend_schema(request=shapes.NewTest, responses={201: shapes.TestAnswer})
    def create(self, request: Request, code: str) -> Response:
        """Enter a result; one that fails its limit quarantines the lot at once."""
        lot, body = _lot(code), self.body(shapes.NewTest)
        facts = services.TestFacts(**body)
        test = services.record_test(lot=lot, facts=facts, by=self.request.user)
        return Response(shapes.said_test(test), status.HTTP_201_CREATED)


class VoidTest(Endpoint):
    policy = {"POST": MANAGES}

    @extend_schema(request=shapes.VoidTest, responses=shapes.TestAnswer)
    def create(self, request: Request, code: str) -> Response:
        """Take a result back that was never so; a lot in use that then lacks it is stopped."""
        lot, body = _lot(code), self.body(shapes.VoidTest)
        test = self.found(lot.tests.select_related("entered_by", "lot"), pk=body["test"])
        voided = services.void_test(test=test, reason=body["reason"], by=self.request.user)
        return Response(shapes.said_test(voided))


class Movements(Endpoint):
    policy = {"GET": SEES, "POST": MANAGES}
    serializer_class = shapes.MovementAnswer
    filters = {
        "site": Filter("site__code"),
        "lot": Filter("lot__code"),
        "kind": Filter("kind", choices=tuple(MovementKind.values)),
    }

    def rows(self) -> Any:
        seen = LotMovement.objects.visible_to(self.request.user)
        people = ("site", "lot", "entered_by", "witness")
        return seen.select_related(*people).order_by("site__code", "lot__code", "number")

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), shapes.said_movement)

    @extend_schema(request=shapes.NewMovement, responses={201: shapes.MovementAnswer})
    def create(self, request: Request) -> Response:
        """Enter units that came to a site, went back or were destroyed."""
        body = self.body(shapes.NewMovement)
        site = _site(self.request.user, body.pop("site"))
        lot = lot_of(body.pop("lot"))
        if lot is None:
            raise ValidationError({"lot": [_("No lot of this number is registered.")]})
        act = _ACTS[body.pop("kind")]
        body["happened_at"] = wall_of("happened_at", body["happened_at"])
        if body["witness"] is not None:
            body["witness"] = _person("witness", body["witness"], site)
        facts = services.MovementFacts(**body)
        moved = act(lot=lot, site=site, facts=facts, by=self.request.user)
        said = shapes.said_movement(self.rows().get(pk=moved.pk))
        return Response(said, status.HTTP_201_CREATED)


_ACTS: dict[str, Callable[..., LotMovement]] = {
    MovementKind.RECEIVED: services.receive_units,
    MovementKind.RETURNED: services.return_units,
    MovementKind.DESTROYED: services.destroy_units,
}


class VoidMovement(Movements):
    policy = {"POST": MANAGES}

    @extend_schema(request=shapes.ReasonedBody, responses=shapes.MovementAnswer)
    def create(self, request: Request, movement: uuid.UUID) -> Response:  # type: ignore[override]
        """Void a movement that was never so; it keeps its number."""
        found = self.found(self.rows(), pk=movement)
        reason = self.body(shapes.ReasonedBody)["reason"]
        services.void_movement(movement=found, reason=reason, by=self.request.user)
        return Response(shapes.said_movement(self.rows().get(pk=movement)))


def _site(user: User, code: str) -> Site:
    sites = user.access.sites(Capability.MANAGE_PRODUCT)
    site = Site.objects.filter(pk__in=sites, code=code).first()
    if site is None:
        raise ValidationError({"site": [_("There is no such site for you.")]})
    return site


def _person(name: str, address: str, site: Site) -> User:
    """A person at the site; somebody elsewhere is as unknown as nobody."""
    for person in staff_at([site]):
        if person.email == address.casefold():
            return person
    raise ValidationError({name: [_("This person does not work at this site.")]})


class LoadedProducts(Endpoint):
    policy = {"GET": SEES, "POST": ENTERS}
    serializer_class = shapes.LoadedAnswer
    filters = {
        "site": Filter("site__code"),
        "lot": Filter("lot__code"),
        "subject": Filter("subject", read=uuid.UUID),
        "session": Filter("session", read=uuid.UUID),
    }

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        seen = LoadedProduct.objects.visible_to(self.request.user, capability)
        parts = ("site", "subject", "session__record", "session__subject", "lot", "loaded_by")
        rows = seen.select_related(*parts, "checked_by")
        return rows.order_by("site__code", "subject__screening_number", "loaded_at", "pk")

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), shapes.said_loaded)

    def retrieve(self, request: Request, loaded: uuid.UUID) -> Response:
        return Response(shapes.said_loaded(self.found(self.rows(), pk=loaded)))

    @extend_schema(request=shapes.NewLoad, responses={201: shapes.LoadedAnswer})
    def create(self, request: Request) -> Response:
        """Enter which cells went into which reactor; they leave the site's stock."""
        body = self.body(shapes.NewLoad)
        mine = TreatmentSession.objects.visible_to(self.request.user, Capability.ENTER_DATA)
        key = body.pop("session")
        session = mine.select_related("site", "subject", "record").filter(pk=key).first()
        if session is None:
            raise ValidationError({"session": [_("There is no such session for you.")]})
        for name in ("thaw_started_at", "thaw_ended_at", "loaded_at"):
            body[name] = wall_of(name, body[name])
        for name in ("loaded_by", "checked_by"):
            body[name] = _person(name, body[name], session.site)
        code = body.pop("lot")
        loaded = services.load_product(
            session=session,
            lot_code=code,
            facts=services.LoadFacts(**body),
            by=self.request.user,
        )
        said = shapes.said_loaded(self.rows().get(pk=loaded.pk))
        return Response(said, status.HTTP_201_CREATED)


class ConfirmLoaded(LoadedProducts):
    policy = {"POST": ENTERS}

    @extend_schema(request=shapes.ConfirmLoadedBody, responses=shapes.LoadedAnswer)
    def create(self, request: Request, loaded: uuid.UUID) -> Response:  # type: ignore[override]
        """State why an unusual viability or dose is right."""
        found = self.found(self.rows(Capability.ENTER_DATA), pk=loaded)
        comment = self.body(shapes.ConfirmLoadedBody)["comment"]
        services.confirm_load(loaded=found, comment=comment, by=self.request.user)
        return self.retrieve(request, loaded)


class VoidLoaded(LoadedProducts):
    policy = {"POST": ENTERS}

    @extend_schema(request=shapes.ReasonedBody, responses=shapes.LoadedAnswer)
    def create(self, request: Request, loaded: uuid.UUID) -> Response:  # type: ignore[override]
        """Void what was entered wrongly; its units return to the stock."""
        found = self.found(self.rows(Capability.ENTER_DATA), pk=loaded)
        reason = self.body(shapes.ReasonedBody)["reason"]
        services.void_load(loaded=found, reason=reason, by=self.request.user)
        return self.retrieve(request, loaded)


product_routes: list[URLPattern] = [
    path("product-lots/", ProductLots.as_view({"get": "list", "post": "create"})),
    path("product-lots/<str:code>/", ProductLots.as_view(DETAIL)),
    path("product-lots/<str:code>/correct/", LotCorrection.as_view(ACT)),
    path("product-lots/<str:code>/release/", LotRelease.as_view(ACT)),
    path("product-lots/<str:code>/quarantine/", LotQuarantine.as_view(ACT)),
    path("product-lots/<str:code>/close/", LotClosing.as_view(ACT)),
    path("product-lots/<str:code>/recall/", LotRecall.as_view({**DETAIL, **ACT})),
    path("product-lots/<str:code>/tests/", ReleaseTests.as_view({"get": "list", "post": "create"})),
    path("product-lots/<str:code>/tests/void/", VoidTest.as_view(ACT)),
    path("product-movements/", Movements.as_view({"get": "list", "post": "create"})),
    path("product-movements/<uuid:movement>/void/", VoidMovement.as_view(ACT)),
    path("loaded-products/", LoadedProducts.as_view({"get": "list", "post": "create"})),
    path("loaded-products/<uuid:loaded>/", LoadedProducts.as_view(DETAIL)),
    path("loaded-products/<uuid:loaded>/confirm/", ConfirmLoaded.as_view(ACT)),
    path("loaded-products/<uuid:loaded>/void/", VoidLoaded.as_view(ACT)),
]
