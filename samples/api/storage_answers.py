"""What the API says of freezers, racks and boxes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from samples.models import Box, BoxMove, Freezer, Rack


class FreezerAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    name = serializers.CharField()
    room = serializers.CharField()
    celsius = serializers.IntegerField()
    retired_at = serializers.DateTimeField(allow_null=True)
    retire_reason = serializers.CharField()


class RackAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    freezer = serializers.UUIDField()
    freezer_name = serializers.CharField()
    name = serializers.CharField()
    places = serializers.IntegerField()


class BoxAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    code = serializers.CharField()
    name = serializers.CharField()
    rows = serializers.IntegerField()
    columns = serializers.IntegerField()
    rack = serializers.UUIDField(allow_null=True, help_text="None while it is carried")
    where = serializers.CharField(help_text="Freezer / rack")
    place = serializers.IntegerField(allow_null=True)
    closed = serializers.BooleanField()


class PositionAnswer(serializers.Serializer[Any]):
    position = serializers.IntegerField()
    name = serializers.CharField(help_text="Such as C7")
    taken = serializers.BooleanField()
    aliquot = serializers.CharField(
        allow_null=True, help_text="Its code; null where it is another site's"
    )


class BoxMoveAnswer(serializers.Serializer[Any]):
    rack = serializers.UUIDField(allow_null=True)
    place = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    moved_by = serializers.CharField()
    moved_at = serializers.DateTimeField()


class BoxMapAnswer(BoxAnswer):
    """A box with every position, the free ones in the order in which they are filled."""

    positions = PositionAnswer(many=True)
    free = serializers.ListField(child=serializers.IntegerField())
    moves = BoxMoveAnswer(many=True)


def said_freezer(freezer: Freezer) -> dict[str, Any]:
    plain = ("name", "room", "celsius", "retired_at", "retire_reason")
    named = {name: getattr(freezer, name) for name in plain}
    return {"id": freezer.pk, "SITEID": freezer.site.code, **named}


def said_rack(rack: Rack) -> dict[str, Any]:
    return {
        "id": rack.pk,
        "SITEID": rack.site.code,
        "freezer": rack.freezer_id,
        "freezer_name": rack.freezer.name,
        "name": rack.name,
        "places": rack.places,
    }


def said_box(box: Box) -> dict[str, Any]:
    plain = ("code", "name", "rows", "columns", "place", "closed")
    return {
        "id": box.pk,
        "SITEID": box.site.code,
        "rack": box.rack_id,
        "where": str(box.rack) if box.rack else "",
        **{name: getattr(box, name) for name in plain},
    }


def said_position(box: Box, position: int, *, taken: bool, aliquot: str | None) -> dict[str, Any]:
    named = box.position_name(position)
    return {"position": position, "name": named, "taken": taken, "aliquot": aliquot}


def said_move(move: BoxMove) -> dict[str, Any]:
    return {
        "rack": move.rack_id,
        "place": move.place,
        "reason": move.reason,
        "moved_by": move.moved_by.full_name,
        "moved_at": move.moved_at,
    }
