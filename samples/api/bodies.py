"""What the API takes about samples, and how it is read."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from samples.api.answers import WALL
from samples.models import DrawSite, UrineMethod
from samples.services.facts import FACTS, SpecimenFacts
from screening.api.consent import wall_of
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import Site, SiteScopedQuerySet, User
from visits.selectors.products import staff_at

HANDLES = Policy(Audience.STAFF, Capability.HANDLE_SAMPLES)
STORES = Policy(Audience.STAFF, Capability.MANAGE_STORAGE)


def _whole(low: int, high: int) -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=low, max_value=high, required=False, default=None, allow_null=True
    )


def _perhaps() -> serializers.BooleanField:
    return serializers.BooleanField(required=False, default=None, allow_null=True)


def text(most: int, help_text: str = "") -> serializers.CharField:
    """Text that may be left out."""
    return serializers.CharField(
        max_length=most, required=False, default="", allow_blank=True, help_text=help_text
    )


def amount() -> serializers.DecimalField:
    """An amount in the specimen's unit, that may be left out."""
    return serializers.DecimalField(
        max_digits=7, decimal_places=2, required=False, default=None, allow_null=True
    )


class TimedBody(Body):
    happened_at = text(30, f"{WALL}; empty: now")


class TimedReasonBody(TimedBody):
    reason = serializers.CharField(max_length=500)


class SampleEndBody(TimedReasonBody):
    kind = serializers.ChoiceField(choices=["discarded", "destroyed", "lost"])
    witness = serializers.EmailField(
        required=False,
        default=None,
        allow_null=True,
        help_text="Who stood by: e-mail address of a second person of the site",
    )


class SpinFacts(Body):
    centrifuge_g = _whole(1, 100_000)
    centrifuge_minutes = _whole(1, 600)
    centrifuge_celsius = _whole(-20, 60)
    centrifuge_brake = _perhaps()
    kept_cool = serializers.BooleanField(
        required=False, default=None, allow_null=True,
        help_text="At 2 to 10 °C from the centrifuge to the freezer",
    )  # fmt: skip


class FactsBody(Body):
    """What a tube is like; what is not sent is not said."""

    amount = amount()
    draw_site = serializers.ChoiceField(
        choices=DrawSite.choices, required=False, default=None, allow_null=True
    )
    fasting = _perhaps()
    on_ice = _perhaps()
    bristol = _whole(1, 7)
    blood_seen = _perhaps()
    laxatives = _perhaps()
    antibiotics = _perhaps()
    urine_method = serializers.ChoiceField(
        choices=UrineMethod.choices, required=False, default=None, allow_null=True
    )
    dipstick = serializers.CharField(
        max_length=200, required=False, default=None, allow_null=True, allow_blank=True
    )
    remark = serializers.CharField(
        max_length=500, required=False, default=None, allow_null=True, allow_blank=True
    )


class UnsaidBody(Body):
    """What was said in error, and is to be open again."""

    unsaid = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(FACTS)),
        required=False,
        default=list,
        help_text="Items that were said in error and are left open again",
    )


def facts_of(body: dict[str, Any]) -> SpecimenFacts:
    """What a body says of a specimen, and what it takes back."""
    said = {name: value for name, value in body.items() if name in FACTS}
    unsaid = frozenset(body.get("unsaid", ()))
    both = sorted(name for name in unsaid if said.get(name) is not None)
    if both:
        problem = _("Said and taken back at once: %(items)s.") % {"items": ", ".join(both)}
        raise ValidationError({"unsaid": [problem]})
    return SpecimenFacts(**said, unsaid=unsaid)


def moment_of(body: dict[str, Any]) -> dt.datetime | None:
    """The time that was sent, or None for now."""
    said = body["happened_at"]
    return wall_of("happened_at", said) if said else None


def of_body(
    rows: SiteScopedQuerySet[Any], name: str, key: uuid.UUID | None, *related: str
) -> Any | None:
    """The row that a body names, among those the person may use; else 400 at its name."""
    if key is None:
        return None
    found = rows.select_related(*related).filter(pk=key).first()
    if found is None:
        raise ValidationError({name: [_("There is no such row for you.")]})
    return found


def site_of(user: User, code: str, capability: Capability) -> Site:
    """A site where the person has the capability; another is as unknown as none."""
    found = Site.objects.filter(pk__in=user.access.sites(capability), code=code).first()
    if found is None:
        raise ValidationError({"site": [_("There is no such site for you.")]})
    return found


def witness_of(address: str | None, site: Site) -> User | None:
    """Who stood by, among the people of the site."""
    if address is None:
        return None
    for person in staff_at([site]):
        if person.email == address.casefold():
            return person
    raise ValidationError({"witness": [_("This person does not work at this site.")]})
