"""What the API says of shipments, and what it takes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from samples.api.answers import WALL, number, wall
from samples.api.bodies import TimedBody, text
from samples.models import (
    Condition,
    Cooling,
    ExportPermission,
    LineState,
    Shipment,
    ShipmentLine,
    ShipmentState,
)
from trialsite.access.bodies import Body

_TONES = ["done", "already"]


def _celsius() -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=5, decimal_places=1, required=False, default=None, allow_null=True
    )


class PermissionAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    number = serializers.CharField()
    recipient = serializers.CharField()
    valid_from = serializers.DateField()
    valid_until = serializers.DateField()
    kinds = serializers.ListField(child=serializers.CharField(), help_text="Empty: every kind")
    aliquots_at_most = serializers.IntegerField(allow_null=True)
    recorded_by = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoke_reason = serializers.CharField()


class NewPermissionBody(Body):
    site = serializers.CharField(max_length=3, help_text="SITEID")
    number = serializers.CharField(max_length=100)
    recipient = serializers.CharField(max_length=200)
    valid_from = serializers.DateField()
    valid_until = serializers.DateField()
    kinds = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False, default=list, max_length=50
    )
    aliquots_at_most = serializers.IntegerField(
        min_value=1, max_value=1_000_000, required=False, default=None, allow_null=True
    )


class LineAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    code = serializers.CharField(help_text="BEREFID")
    aliquot = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(choices=LineState.choices)
    unexpected = serializers.BooleanField(help_text="It came and was not on the manifest")
    taken_from = serializers.CharField(help_text="Box and position")
    in_box = serializers.BooleanField(help_text="Sent in its box")
    condition = serializers.ChoiceField(choices=["", *Condition.values])
    received_at = serializers.CharField(allow_null=True, help_text=WALL)
    received_by = serializers.CharField(allow_null=True)
    settled = serializers.BooleanField(help_text="Received as it was sent, or explained")
    explanation = serializers.CharField()
    explained_by = serializers.CharField(allow_null=True)


class ShipmentAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    code = serializers.CharField(help_text="BEGRPID")
    state = serializers.ChoiceField(choices=ShipmentState.choices)
    destination = serializers.CharField()
    address = serializers.CharField()
    purpose = serializers.CharField()
    abroad = serializers.BooleanField()
    genetic = serializers.BooleanField()
    future_use = serializers.BooleanField()
    needs_permission = serializers.BooleanField()
    permission = serializers.UUIDField(allow_null=True)
    planned_on = serializers.DateField(allow_null=True)
    carrier = serializers.CharField()
    cooling = serializers.ChoiceField(choices=Cooling.choices)
    packages = serializers.IntegerField(allow_null=True)
    tracking = serializers.CharField()
    logger = serializers.CharField(help_text="Its temperature logger")
    dry_ice = serializers.CharField(allow_null=True, help_text="Kilograms")
    time_zone = serializers.CharField(help_text="IANA name")
    sent_at = serializers.CharField(allow_null=True, help_text=WALL)
    due_on = serializers.DateField(allow_null=True)
    received_at = serializers.CharField(allow_null=True, help_text=WALL)
    received_by_name = serializers.CharField()
    logger_celsius = serializers.CharField(allow_null=True)
    cancel_reason = serializers.CharField()
    closed_at = serializers.DateTimeField(allow_null=True)
    packed = serializers.IntegerField(help_text="Aliquots on the manifest")
    received = serializers.IntegerField()
    missing = serializers.IntegerField()
    version = serializers.IntegerField(help_text="Also the ETag")


class ManifestAnswer(ShipmentAnswer):
    lines = LineAnswer(many=True, help_text="Also what was taken out again")


class ScannedIntoAnswer(serializers.Serializer[Any]):
    """What came of a scan at a parcel; `already`: nothing changed."""

    tone = serializers.ChoiceField(choices=_TONES)
    headline = serializers.CharField()
    message = serializers.CharField()
    lines = LineAnswer(many=True)


class RouteBody(Body):
    address = text(500)
    planned_on = serializers.DateField(required=False, default=None, allow_null=True)
    carrier = text(100)
    cooling = serializers.ChoiceField(choices=Cooling.choices, default=Cooling.DRY_ICE)


class DraftBody(RouteBody):
    site = serializers.CharField(max_length=3, help_text="SITEID")
    destination = serializers.CharField(max_length=200)
    purpose = serializers.CharField(max_length=300)
    abroad = serializers.BooleanField(default=False)
    genetic = serializers.BooleanField(default=False)
    future_use = serializers.BooleanField(default=False)
    permission = serializers.UUIDField(required=False, default=None, allow_null=True)


class NamePermissionBody(Body):
    permission = serializers.UUIDField()


class ScannedBody(Body):
    code = serializers.CharField(max_length=60, help_text="Of an aliquot, or of a whole box")


class ReceiveBody(ScannedBody, TimedBody):
    condition = serializers.ChoiceField(choices=Condition.choices, default=Condition.INTACT)
    note = text(500)
    unexpected = serializers.BooleanField(
        default=False, help_text="It is in the parcel though it is not on the manifest"
    )
    counted = serializers.BooleanField(
        default=False, help_text="Of a box: all that was sent in it is there"
    )


class HandOverBody(TimedBody):
    packages = serializers.IntegerField(min_value=1, max_value=1000, default=1)
    carrier = text(100)
    tracking = text(100)
    logger = text(100)
    dry_ice = serializers.DecimalField(
        max_digits=5, decimal_places=1, required=False, default=None, allow_null=True
    )


class ArriveBody(TimedBody):
    receiver = serializers.CharField(max_length=100)
    logger_celsius = _celsius()


def said_permission(permission: ExportPermission) -> dict[str, Any]:
    plain = ("number", "recipient", "valid_from", "valid_until", "kinds", "aliquots_at_most",
             "recorded_at", "revoked_at", "revoke_reason")  # fmt: skip
    return {
        "id": permission.pk,
        "SITEID": permission.site.code,
        "recorded_by": permission.recorded_by.full_name,
        **{name: getattr(permission, name) for name in plain},
    }


def said_line(line: ShipmentLine) -> dict[str, Any]:
    plain = ("number", "code", "state", "unexpected", "in_box", "condition", "explanation")
    return {
        "id": line.pk,
        "aliquot": line.aliquot_id,
        "taken_from": line.place_name,
        "received_at": wall(line.received_at),
        "received_by": line.received_by.full_name if line.received_by else None,
        "settled": line.is_settled,
        "explained_by": line.explained_by.full_name if line.explained_by else None,
        **{name: getattr(line, name) for name in plain},
    }


def said_shipment(shipment: Shipment) -> dict[str, Any]:
    """The shipment as the selector annotates it."""
    plain = ("code", "state", "destination", "address", "purpose", "abroad", "genetic",
             "future_use", "needs_permission", "planned_on", "carrier", "cooling", "packages",
             "tracking", "logger", "time_zone", "due_on", "received_by_name", "cancel_reason",
             "closed_at", "packed", "received", "missing", "version")  # fmt: skip
    return {
        "id": shipment.pk,
        "SITEID": shipment.site.code,
        "permission": shipment.permission_id,
        "dry_ice": number(shipment.dry_ice),
        "logger_celsius": number(shipment.logger_celsius),
        "sent_at": wall(shipment.sent_at),
        "received_at": wall(shipment.received_at),
        **{name: getattr(shipment, name) for name in plain},
    }
