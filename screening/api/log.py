"""The screening log, its acts, the funnel, and the state of enrolment."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from screening.answers import (
    EndBody,
    EnrolmentAnswer,
    EntryAnswer,
    EntryReason,
    FunnelAnswer,
    NewEntry,
    Nothing,
    said_enrolment,
    said_entry,
    said_funnel,
)
from screening.models import ScreeningEntry
from screening.models.log import Outcome
from screening.selectors.enrolment import enrolment_state
from screening.selectors.funnel import funnel
from screening.selectors.log import seen_by
from screening.services.enrolment import enrol_subject, hold_places, void_enrolment
from screening.services.log import close_entry, open_entry, reopen_entry, screen_fail, void_entry
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import Site
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint, PreconditionFailed, etag, expected_version
from trialsite.casebook.api import ACT, DETAIL, LIST
from trialsite.core.exceptions import TransitionError

SEES = Policy(Audience.STAFF, Capability.VIEW_SCREENING)
KEEPS = Policy(Audience.STAFF, Capability.SCREEN)


def _sites(request: Any, capability: Capability) -> Any:
    keys = request.user.access.sites(capability)
    return Site.objects.filter(pk__in=keys).order_by("code")


class Entries(Endpoint):
    """Everybody who was considered for the trial, by number only."""

    policy = {"GET": SEES, "POST": KEEPS}
    serializer_class = EntryAnswer
    filters = {
        "site": Filter("site__code"),
        "outcome": Filter("outcome", choices=tuple(Outcome.values)),
        "number": Filter("number"),
        "subject": Filter("subject_id", uuid.UUID),
    }

    def list(self, request: Request) -> Response:
        return self.page(seen_by(self.request.user).order_by("site__code", "number"), said_entry)

    def retrieve(self, request: Request, entry: uuid.UUID) -> Response:
        return self.answer(entry)

    def answer(self, entry: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found = self.found(seen_by(self.request.user), pk=entry)
        return Response(said_entry(found), code, headers={"ETag": etag(found.version)})

    @extend_schema(request=NewEntry, responses={201: EntryAnswer})
    def create(self, request: Request) -> Response:
        """Log a person who is considered; the screening number is given by the system."""
        said = self.body(NewEntry)
        site = _sites(self.request, Capability.SCREEN).filter(code=said.pop("site")).first()
        if site is None:
            raise ValidationError({"site": [_("There is no such site for you.")]})
        if said["earlier"] is not None:
            mine = ScreeningEntry.objects.visible_to(self.request.user, Capability.SCREEN)
            said["earlier"] = mine.filter(pk=said["earlier"]).first()
            if said["earlier"] is None:
                raise ValidationError({"earlier": [_("There is no such entry for you.")]})
        entry = open_entry(site=site, by=self.request.user, **said)
        return self.answer(entry.pk, status.HTTP_201_CREATED)


class EntryAct(Entries):
    """An act on an entry, from the version that was read."""

    policy = {"POST": KEEPS}
    matches = True

    def act(self, entry: uuid.UUID, service: Callable[..., Any], **said: Any) -> Response:
        seen = ScreeningEntry.objects.visible_to(self.request.user, Capability.VIEW_SCREENING)
        found: ScreeningEntry = self.found(
            seen.select_for_update(no_key=True, of=("self",)).select_related("subject"), pk=entry
        )
        if found.version != expected_version(self.request):  # type: ignore[arg-type]
            raise PreconditionFailed(_("Somebody else changed this entry. Read it again."))
        service(entry=found, by=self.request.user, **said)
        return self.answer(entry)


class Close(EntryAct):
    @extend_schema(request=EndBody, responses=EntryAnswer)
    def create(self, request: Request, entry: uuid.UUID) -> Response:  # type: ignore[override]
        """End a screening with its outcome and every reason."""
        said = self.body(EndBody)
        if "outcome" not in said:
            raise ValidationError({"outcome": [_("Say how the screening ended.")]})
        return self.act(entry, close_entry, **said)


class ScreenFail(EntryAct):
    @extend_schema(request=EndBody, responses=EntryAnswer)
    def create(self, request: Request, entry: uuid.UUID) -> Response:  # type: ignore[override]
        """A screen failure, before consent ineligibility; every criterion that decided."""
        said = self.body(EndBody)
        said.pop("outcome", None)
        return self.act(entry, screen_fail, **said)


class Reopen(EntryAct):
    @extend_schema(request=EntryReason, responses=EntryAnswer)
    def create(self, request: Request, entry: uuid.UUID) -> Response:  # type: ignore[override]
        """Screening goes on after all."""
        return self.act(entry, reopen_entry, **self.body(EntryReason))


class VoidEntry(EntryAct):
    @extend_schema(request=EntryReason, responses=EntryAnswer)
    def create(self, request: Request, entry: uuid.UUID) -> Response:  # type: ignore[override]
        """Entered in error: it counts no longer; its number is never given again."""
        return self.act(entry, void_entry, **self.body(EntryReason))


def _subject_of(entry: ScreeningEntry) -> Any:
    if entry.subject is None:
        raise TransitionError(_("No consent is on file."))
    return entry.subject


class EnrolmentAct(EntryAct):
    """An act that moves the study's count, which is held before the entry, as on the page."""

    def act(self, entry: uuid.UUID, service: Callable[..., Any], **said: Any) -> Response:
        hold_places()
        return super().act(entry, service, **said)


class Enrol(EnrolmentAct):
    policy = {"POST": Policy(Audience.STAFF, Capability.ADD_SUBJECT)}

    @extend_schema(request=Nothing, responses=EntryAnswer)
    def create(self, request: Request, entry: uuid.UUID) -> Response:  # type: ignore[override]
        """Take the subject into the study; a refusal names every reason."""
        self.body(Nothing)

        def enrol(*, entry: ScreeningEntry, by: Any) -> None:
            enrol_subject(subject=_subject_of(entry), by=by)

        return self.act(entry, enrol)


class VoidEnrolment(EnrolmentAct):
    policy = {"POST": Policy(Audience.STAFF, Capability.SIGN_FORM)}

    @extend_schema(request=EntryReason, responses=EntryAnswer)
    def create(self, request: Request, entry: uuid.UUID) -> Response:  # type: ignore[override]
        """Take back an enrolment made in error, before day zero."""

        def unenrol(*, entry: ScreeningEntry, by: Any, reason: str) -> None:
            void_enrolment(subject=_subject_of(entry), by=by, reason=reason)

        return self.act(entry, unenrol, **self.body(EntryReason))


class FunnelOfSites(Endpoint):
    policy = {"GET": SEES}
    serializer_class = FunnelAnswer

    def retrieve(self, request: Request) -> Response:
        """Persons by place, over one's own sites and each; every box is the sum of its parts."""
        sites = self.request.user.access.sites(Capability.VIEW_SCREENING)
        return Response(said_funnel(funnel(sites)))


class EnrolmentOfSites(Endpoint):
    policy = {"GET": SEES}
    serializer_class = EnrolmentAnswer

    def list(self, request: Request) -> Response:
        """At each of one's own sites: enrolled in the study, target, open or why not."""
        sites = _sites(self.request, Capability.VIEW_SCREENING)
        return self.page(sites, lambda site: said_enrolment(site, enrolment_state(site)))


routes: list[URLPattern] = [
    path("screenings/", Entries.as_view({"get": "list", "post": "create"})),
    path("screenings/<uuid:entry>/", Entries.as_view(DETAIL)),
    path("screenings/<uuid:entry>/close/", Close.as_view(ACT)),
    path("screenings/<uuid:entry>/screen-fail/", ScreenFail.as_view(ACT)),
    path("screenings/<uuid:entry>/reopen/", Reopen.as_view(ACT)),
    path("screenings/<uuid:entry>/void/", VoidEntry.as_view(ACT)),
    path("screenings/<uuid:entry>/enrol/", Enrol.as_view(ACT)),
    path("screenings/<uuid:entry>/void-enrolment/", VoidEnrolment.as_view(ACT)),
    path("funnel/", FunnelOfSites.as_view(DETAIL)),
    path("enrolment/", EnrolmentOfSites.as_view(LIST)),
]
