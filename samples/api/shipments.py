"""Shipments in the API: drafted, packed by scan, handed over, received by scan, closed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api import shipment_answers as shapes
from samples.api.acting import SampleEndpoint
from samples.api.bodies import TimedReasonBody, moment_of, of_body, site_of
from samples.models import ExportPermission, Shipment, ShipmentLine, ShipmentState
from samples.selectors.shipping import shipments_of
from samples.services import shipments as services
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter
from trialsite.access.rest import PreconditionFailed, etag, expected_version
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, DETAIL, SEES
from trialsite.review.signing_api import CONFIGURES

SHIPS = Policy(Audience.STAFF, Capability.SHIP_SAMPLES)
_LINE = ("aliquot", "box", "received_by", "explained_by")


class Permissions(SampleEndpoint):
    policy = {"GET": SEES, "POST": CONFIGURES}
    serializer_class = shapes.PermissionAnswer
    filters = {"site": Filter("site__code"), "number": Filter("number")}

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        seen = ExportPermission.objects.visible_to(self.request.user, capability)
        named = seen.select_related("site", "recorded_by")
        return named.order_by("site__code", "number", "recorded_at", "pk")

    def list(self, request: Request) -> Response:
        """Export permissions, also those that count no longer."""
        return self.page(self.rows(), shapes.said_permission)

    @extend_schema(request=shapes.NewPermissionBody, responses={201: shapes.PermissionAnswer})
    def create(self, request: Request) -> Response:
        """Record a permission to let human material leave the country."""
        body, by = self.body(shapes.NewPermissionBody), self.request.user
        site = site_of(by, body.pop("site"), Capability.CONFIGURE_STUDY)
        with self.acting():
            made = services.record_permission(by=by, site=site, **body)
        said = shapes.said_permission(self.found(self.rows(), pk=made.pk))
        return Response(said, status.HTTP_201_CREATED)


class PermissionRevoked(Permissions):
    policy = {"POST": CONFIGURES}

    @extend_schema(request=VoidBody, responses=shapes.PermissionAnswer)
    def create(self, request: Request, permission: uuid.UUID) -> Response:  # type: ignore[override]
        """It counts no longer: parcels under it are neither packed nor handed over."""
        found = self.found(self.rows(Capability.CONFIGURE_STUDY), pk=permission)
        reason = self.body(VoidBody)["reason"]
        with self.acting():
            services.revoke_permission(by=self.request.user, permission=found, reason=reason)
        return Response(shapes.said_permission(self.found(self.rows(), pk=permission)))


class ShipmentRows(SampleEndpoint):
    """Base of the endpoints of shipments."""

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        return shipments_of(self.request.user, capability).order_by("code")

    def one(self, shipment: uuid.UUID) -> Shipment:
        found: Shipment = self.found(self.rows(Capability.SHIP_SAMPLES), pk=shipment)
        return found

    def answer(self, shipment: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found = self.found(self.rows(), pk=shipment)
        lines = found.lines.select_related(*_LINE).order_by("number")
        said = shapes.said_shipment(found) | {"lines": [shapes.said_line(each) for each in lines]}
        return Response(said, code, headers={"ETag": etag(found.version)})

    def permission(self, key: uuid.UUID | None) -> Any:
        seen = ExportPermission.objects.visible_to(self.request.user, Capability.SHIP_SAMPLES)
        return of_body(seen, "permission", key, "site")


def _route(body: dict[str, Any]) -> Any:
    names = ("address", "planned_on", "carrier", "cooling")
    return services.Route(**{name: body.pop(name) for name in names})


class Shipments(ShipmentRows):
    policy = {"GET": SEES, "POST": SHIPS}
    serializer_class = shapes.ShipmentAnswer
    filters = {
        "site": Filter("site__code"),
        "state": Filter("state", choices=tuple(ShipmentState.values)),
        "code": Filter("code"),
    }

    def list(self, request: Request) -> Response:
        """Shipments with how many aliquots are packed, received and missing."""
        return self.page(self.rows(), shapes.said_shipment)

    @extend_schema(responses=shapes.ManifestAnswer)
    def retrieve(self, request: Request, shipment: uuid.UUID) -> Response:
        """A shipment with every line of its manifest."""
        return self.answer(shipment)

    @extend_schema(request=shapes.DraftBody, responses={201: shapes.ManifestAnswer})
    def create(self, request: Request) -> Response:
        """Begin a shipment; what it is for decides whose samples may go, and stays."""
        body, by = self.body(shapes.DraftBody), self.request.user
        site = site_of(by, body.pop("site"), Capability.SHIP_SAMPLES)
        permission, route = self.permission(body.pop("permission")), _route(body)
        with self.acting():
            made = services.draft_shipment(
                by=by, site=site, permission=permission, route=route, **body
            )
        return self.answer(made.pk, status.HTTP_201_CREATED)


class ShipmentAct(ShipmentRows):
    """Base of the acts on one shipment."""

    policy = {"POST": SHIPS}

    def done(self, found: Shipment, act: Callable[..., object], /, **said: Any) -> Response:
        with self.acting():
            act(by=self.request.user, shipment=found, **said)
        return self.answer(found.pk)


class ShipmentChange(ShipmentAct):
    """Base of the acts that change what is said of the parcel itself."""

    matches = True

    def one(self, shipment: uuid.UUID) -> Shipment:
        found, version = super().one(shipment), expected_version(self.request)  # type: ignore[arg-type]
        if found.version != version:
            raise PreconditionFailed(_("Somebody else changed this shipment. Read it again."))
        return found


class RouteChanged(ShipmentChange):
    @extend_schema(request=shapes.RouteBody, responses=shapes.ManifestAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """Another carrier, day, address or cooling, as long as it has not left."""
        found, body = self.one(shipment), self.body(shapes.RouteBody)
        return self.done(found, services.change_route, route=_route(body))


class PermissionNamed(ShipmentChange):
    @extend_schema(request=shapes.NamePermissionBody, responses=shapes.ManifestAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """Name the export permission under which it goes."""
        found, body = self.one(shipment), self.body(shapes.NamePermissionBody)
        named = self.permission(body["permission"])
        return self.done(found, services.name_permission, permission=named)


class HandedOver(ShipmentChange):
    @extend_schema(request=shapes.HandOverBody, responses=shapes.ManifestAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """Seal it and hand it to the carrier; consent and permission are asked again."""
        found, body = self.one(shipment), self.body(shapes.HandOverBody)
        at = moment_of(body)
        body.pop("happened_at")
        return self.done(found, services.hand_over, at=at, **body)


class Cancelled(ShipmentChange):
    @extend_schema(request=VoidBody, responses=shapes.ManifestAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """It will not leave: what is in it is taken out."""
        found = self.one(shipment)
        return self.done(found, services.cancel_shipment, reason=self.body(VoidBody)["reason"])


class Arrived(ShipmentChange):
    @extend_schema(request=shapes.ArriveBody, responses=shapes.ManifestAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """It is there: when, who took it over, how warm its logger has been."""
        found, body = self.one(shipment), self.body(shapes.ArriveBody)
        said = {"receiver": body["receiver"], "logger_celsius": body["logger_celsius"]}
        return self.done(found, services.arrive, at=moment_of(body), **said)


class Closed(ShipmentChange):
    @extend_schema(request=None, responses=shapes.ManifestAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """Each line is received or explained: it is done with."""
        return self.done(self.one(shipment), services.close_shipment)


class RestMissing(ShipmentAct):
    @extend_schema(request=TimedReasonBody, responses=shapes.ManifestAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """Everything that was packed and has not come is missing, for one reason."""
        found, body = self.one(shipment), self.body(TimedReasonBody)
        said = {"reason": body["reason"], "at": moment_of(body)}
        return self.done(found, services.report_rest_missing, **said)


class ParcelScan(ShipmentRows):
    """Base of the scans at a parcel; the same scan again changes nothing."""

    policy = {"POST": SHIPS}

    def scanned(
        self, found: Shipment, act: Callable[..., services.Scanned], **said: Any
    ) -> Response:
        with self.acting():
            answer = act(by=self.request.user, shipment=found, **said)
        rows = ShipmentLine.objects.visible_to(self.request.user).select_related(*_LINE)
        lines = rows.filter(pk__in=[each.pk for each in answer.lines]).order_by("number")
        return Response(
            {
                "tone": answer.tone,
                "headline": answer.headline,
                "message": answer.message,
                "lines": [shapes.said_line(each) for each in lines],
            }
        )


class Packed(ParcelScan):
    @extend_schema(request=shapes.ScannedBody, responses=shapes.ScannedIntoAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """Put an aliquot, or a box with all that is in it, into the parcel. Refused without
        consent for what it is for, after a withdrawal, without the export permission."""
        found, body = self.one(shipment), self.body(shapes.ScannedBody)
        return self.scanned(found, services.pack, code=body["code"])


class Unpacked(ParcelScan):
    @extend_schema(request=shapes.ScannedBody, responses=shapes.ScannedIntoAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """Take it out of a parcel that has not left."""
        found, body = self.one(shipment), self.body(shapes.ScannedBody)
        return self.scanned(found, services.unpack, code=body["code"])


class ReceivedFrom(ParcelScan):
    @extend_schema(request=shapes.ReceiveBody, responses=shapes.ScannedIntoAnswer)
    def create(self, request: Request, shipment: uuid.UUID) -> Response:
        """It has come out of the parcel, in a condition."""
        found, body = self.one(shipment), self.body(shapes.ReceiveBody)
        at = moment_of(body)
        body.pop("happened_at")
        return self.scanned(found, services.receive, at=at, **body)


class LineAct(ShipmentRows):
    """Base of the acts on one line of a manifest."""

    policy = {"POST": SHIPS}

    def line(self, line: uuid.UUID) -> ShipmentLine:
        seen = ShipmentLine.objects.visible_to(self.request.user, Capability.SHIP_SAMPLES)
        found: ShipmentLine = self.found(seen.select_related("shipment"), pk=line)
        return found


class LineMissing(LineAct):
    @extend_schema(request=TimedReasonBody, responses=shapes.ManifestAnswer)
    def create(self, request: Request, line: uuid.UUID) -> Response:
        """It was packed and has not come, or was received by mistake: it is lost, until
        somebody finds it."""
        found, body = self.line(line), self.body(TimedReasonBody)
        said = {"reason": body["reason"], "at": moment_of(body)}
        with self.acting():
            services.report_missing(by=self.request.user, line=found, **said)
        return self.answer(found.shipment_id)


class LineExplained(LineAct):
    @extend_schema(request=VoidBody, responses=shapes.ManifestAnswer)
    def create(self, request: Request, line: uuid.UUID) -> Response:
        """Say how a discrepancy came about."""
        found, reason = self.line(line), self.body(VoidBody)["reason"]
        with self.acting():
            services.explain(by=self.request.user, line=found, reason=reason)
        return self.answer(found.shipment_id)


_ACTS: dict[str, Any] = {
    "route": RouteChanged,
    "permission": PermissionNamed,
    "pack": Packed,
    "unpack": Unpacked,
    "hand-over": HandedOver,
    "cancel": Cancelled,
    "arrive": Arrived,
    "receive": ReceivedFrom,
    "missing": RestMissing,
    "close": Closed,
}

shipment_routes: list[URLPattern] = [
    path("export-permissions/", Permissions.as_view({"get": "list", "post": "create"})),
    path("export-permissions/<uuid:permission>/revoke/", PermissionRevoked.as_view(ACT)),
    path("shipments/", Shipments.as_view({"get": "list", "post": "create"})),
    path("shipments/<uuid:shipment>/", Shipments.as_view(DETAIL)),
    *(
        path(f"shipments/<uuid:shipment>/{name}/", each.as_view(ACT))
        for name, each in _ACTS.items()
    ),
    path("shipment-lines/<uuid:line>/missing/", LineMissing.as_view(ACT)),
    path("shipment-lines/<uuid:line>/explain/", LineExplained.as_view(ACT)),
]
