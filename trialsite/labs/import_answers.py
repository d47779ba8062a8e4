"""What the API says of imports, and what it takes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from trialsite.access.bodies import Body
from trialsite.labs.importing.models import ImportState, LabFileMapping, LabImport
from trialsite.labs.importing.outcomes import Outcome


class MappingAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    laboratory = serializers.UUIDField()
    version = serializers.IntegerField()
    text = serializers.CharField(help_text="YAML or JSON")
    created_at = serializers.DateTimeField()


class NewMapping(Body):
    laboratory = serializers.UUIDField()
    text = serializers.CharField(max_length=100_000, help_text="YAML or JSON")


class OptionAnswer(serializers.Serializer[Any]):
    value = serializers.CharField()
    label: Any = serializers.CharField()


class ImportLineAnswer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="Names the line in choices")
    line = serializers.IntegerField()
    place = serializers.CharField(help_text="line:column, or the cell of a workbook")
    outcome: Any = serializers.ChoiceField(choices=[each.value for each in Outcome])
    subject = serializers.CharField()
    collected = serializers.CharField(help_text="The clock at the site")
    test = serializers.CharField()
    analyte = serializers.CharField()
    text = serializers.CharField()
    unit = serializers.CharField()
    specimen_ref = serializers.CharField(help_text="The specimen's identifier as printed")
    stands = serializers.CharField(help_text="What is in the casebook now")
    message = serializers.CharField()
    choice = serializers.CharField()
    options = OptionAnswer(many=True)


class ImportInBrief(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    laboratory = serializers.UUIDField()
    mapping = serializers.UUIDField()
    filename = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    read_as = serializers.CharField()
    state: Any = serializers.ChoiceField(choices=ImportState.choices)
    prepared_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    discarded_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    discard_reason = serializers.CharField()
    problem = serializers.CharField(help_text="Why the last attempt to take it failed")
    lines = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="By outcome")
    unchecked_people = serializers.IntegerField(
        help_text="People of whom neither sex nor birth date could be compared"
    )
    open = serializers.IntegerField(help_text="Lines that need a choice first")
    writes = serializers.IntegerField(help_text="Results that are written when it is taken")
    changes = serializers.IntegerField(help_text="Of these, changes of what stands")


class ImportAnswer(ImportInBrief):
    digest = serializers.CharField(help_text="Of the comparison; sent back to take it")
    items = ImportLineAnswer(many=True, help_text="Lines that need somebody; at most 500")


class NewImport(Body):
    laboratory = serializers.UUIDField()
    filename = serializers.CharField(max_length=255)
    content = serializers.CharField(help_text="The file, base64; larger ones by the page")


class ImportChoices(Body):
    choices = serializers.DictField(
        child=serializers.CharField(max_length=60, allow_blank=True),
        required=False,
        default=dict,
        help_text="Key of a line -> one of its options; empty takes a choice back",
    )
    leave_all = serializers.ListField(
        child=serializers.ChoiceField(choices=[each.value for each in Outcome]),
        required=False,
        default=list,
        help_text="Outcomes of which every line is left out",
    )


class ImportAcceptance(Body):
    digest = serializers.CharField(max_length=64)
    reason = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)


class ImportDiscard(Body):
    reason = serializers.CharField(max_length=500)


def said_mapping(row: LabFileMapping) -> dict[str, Any]:
    names = ("id", "version", "text", "created_at")
    return {
        **{name: getattr(row, name) for name in names},
        "SITEID": row.site.code,
        "laboratory": row.laboratory_id,
    }


_COUNTED = ("lines", "counts", "unchecked_people", "open", "writes", "changes")


def said_import(
    found: LabImport, report: dict[str, Any] | None = None, digest: str = ""
) -> dict[str, Any]:
    """An import as it was last compared, or by a comparison made now."""
    names = ("id", "filename", "size", "sha256", "read_as", "state", "prepared_at", "expires_at")
    more = ("accepted_at", "discarded_at", "reason", "discard_reason", "problem")
    shown = report or found.report
    return {
        **{name: getattr(found, name) for name in (*names, *more)},
        "SITEID": found.site.code,
        "laboratory": found.laboratory_id,
        "mapping": found.mapping_id,
        **{name: shown[name] for name in _COUNTED},
        "digest": digest or found.digest,
        "items": shown["items"],
    }
