"""What the API says of the screening log, the funnel and enrolment."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from screening.models import ScreeningEntry
from screening.models.log import Outcome, Reason, Source
from screening.selectors.enrolment import EnrolmentState
from screening.selectors.funnel import Box, Funnel, Persons, Place
from trialsite.access.bodies import Body
from trialsite.access.models import Site


class EntryAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField(help_text="Screening number")
    SUBJID = serializers.CharField(allow_null=True, help_text="Subject number, once enrolled")
    subject = serializers.UUIDField(allow_null=True, help_text="Comes with consent")
    first_contact_on = serializers.DateField()
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    place = serializers.ChoiceField(choices=Place.choices, help_text="Where the person stands")
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    outcome_on = serializers.DateField(allow_null=True)
    criteria = serializers.ListField(child=serializers.CharField(), help_text="IETESTCD")
    reasons = serializers.ListField(child=serializers.ChoiceField(choices=Reason.choices))
    comment = serializers.CharField()
    earlier = serializers.UUIDField(allow_null=True, help_text="The entry screened before")
    same_person_as = serializers.UUIDField(allow_null=True)
    version = serializers.IntegerField(help_text="Also the ETag")
    opened_at = serializers.DateTimeField()
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class NewEntry(Body):
    site = serializers.CharField(max_length=3, help_text="SITEID")
    first_contact_on = serializers.DateField()
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    earlier = serializers.UUIDField(required=False, allow_null=True, default=None)


class EndBody(Body):
    outcome = serializers.ChoiceField(choices=Outcome.choices, required=False)
    on = serializers.DateField()
    criteria = serializers.ListField(
        child=serializers.CharField(max_length=10), required=False, default=list, max_length=50
    )
    reasons = serializers.ListField(
        child=serializers.ChoiceField(choices=Reason.choices),
        required=False,
        default=list,
        max_length=20,
    )
    comment = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class EntryReason(Body):
    reason = serializers.CharField(max_length=500)


class Nothing(Body):
    """An act that needs nothing said."""


class CountAnswer(serializers.Serializer[Any]):
    part = serializers.ChoiceField(choices=[*Box.choices, *Place.choices])
    persons = serializers.IntegerField()


class SiteCounts(serializers.Serializer[Any]):
    SITEID = serializers.CharField()
    counts = CountAnswer(many=True)


class GivenAnswer(serializers.Serializer[Any]):
    place = serializers.ChoiceField(choices=Place.choices)
    code = serializers.CharField(help_text="IETESTCD, or another reason")
    by_criterion = serializers.BooleanField()
    persons = serializers.IntegerField(help_text="One person may have several reasons")


class FunnelAnswer(serializers.Serializer[Any]):
    total = CountAnswer(many=True)
    sites = SiteCounts(many=True)
    reasons = GivenAnswer(many=True)


class EnrolmentAnswer(serializers.Serializer[Any]):
    SITEID = serializers.CharField()
    enrolled = serializers.IntegerField(help_text="In the whole study")
    target = serializers.IntegerField(allow_null=True)
    open = serializers.BooleanField()
    refusals = serializers.ListField(child=serializers.CharField())


def said_entry(entry: ScreeningEntry) -> dict[str, Any]:
    plain = (
        "first_contact_on",
        "source",
        "outcome",
        "outcome_on",
        "criteria",
        "reasons",
        "comment",
        "version",
        "opened_at",
        "voided_at",
        "void_reason",
    )
    return {
        "id": entry.pk,
        "SITEID": entry.site.code,
        "SCRNID": entry.number,
        "SUBJID": entry.subject.number if entry.subject else None,
        "subject": entry.subject_id,
        "place": entry.place,  # type: ignore[attr-defined]
        "earlier": entry.earlier_id,
        "same_person_as": entry.same_person_as_id,
        **{name: getattr(entry, name) for name in plain},
    }


def said_funnel(found: Funnel) -> dict[str, Any]:
    return {
        "total": _counts(found.total),
        "sites": [
            {"SITEID": code, "counts": _counts(persons)} for code, persons in found.sites.items()
        ],
        "reasons": [
            {
                "place": each.place,
                "code": each.code,
                "by_criterion": each.by_criterion,
                "persons": each.persons,
            }
            for each in found.reasons
        ],
    }


def _counts(persons: Persons) -> list[dict[str, Any]]:
    return [{"part": part, "persons": persons.of(part)} for part in (*Box, *Place)]


def said_enrolment(site: Site, state: EnrolmentState) -> dict[str, Any]:
    return {
        "SITEID": site.code,
        "enrolled": state.enrolled,
        "target": state.target,
        "open": state.is_open,
        "refusals": list(state.refusals),
    }
