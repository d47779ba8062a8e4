"""The endpoints of laboratories, reference ranges, draws with results, and purifications."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError as Invalid
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import Site
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint, etag, expected_version
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import DETAIL, ENTERS, SEES
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject, Visit
from trialsite.casebook.protocols import protocol_of
from trialsite.core.exceptions import DomainError
from trialsite.core.wall_time import WallTimeField
from trialsite.crf.api import refusals_by_item
from trialsite.labs.answers import (
    LaboratoryAnswer,
    NewLaboratory,
    NewPanel,
    NewPurification,
    NewRange,
    PanelAnswer,
    PanelBody,
    PanelInBrief,
    PurificationAnswer,
    RangeEnd,
    ReferenceRangeAnswer,
    base_of_body,
    said_laboratory,
    said_panel,
    said_purification,
    said_range,
    said_result,
    texts_of_body,
)
from trialsite.labs.codes import FORM_OID, PurificationKind
from trialsite.labs.entry import read_panel
from trialsite.labs.grade_api import routes as grades
from trialsite.labs.models import (
    Laboratory,
    LabPanel,
    LabResult,
    PurificationInterval,
    ReferenceRange,
)
from trialsite.labs.selectors import labs_of
from trialsite.labs.services.panels import SavedPanel, open_panel, save_panel
from trialsite.labs.services.purification import record_purification, void_purification
from trialsite.labs.services.ranges import (
    RangeValues,
    end_range,
    keep_laboratory,
    keep_range,
    void_range,
)

KEEPS = Policy(Audience.STAFF, Capability.MANAGE_LABS)


class Laboratories(Endpoint):
    policy = {"GET": SEES, "POST": KEEPS}
    serializer_class = LaboratoryAnswer
    filters = {"site": Filter("site__code"), "code": Filter("code")}

    def list(self, request: Request) -> Response:
        return self.page(labs_of(self.request.user), said_laboratory)

    def retrieve(self, request: Request, laboratory: uuid.UUID) -> Response:
        return Response(said_laboratory(self.found(labs_of(self.request.user), pk=laboratory)))

    @extend_schema(request=NewLaboratory, responses={201: LaboratoryAnswer})
    def create(self, request: Request) -> Response:
        """Enter a laboratory into the register of a site."""
        body = self.body(NewLaboratory)
        keeps = self.request.user.access.sites(Capability.MANAGE_LABS)
        site = Site.objects.filter(pk__in=keeps, code=body.pop("site")).first()
        if site is None:
            raise ValidationError({"site": [_("There is no such site for you.")]})
        made = keep_laboratory(site=site, by=self.request.user, **body)
        return Response(said_laboratory(made), status.HTTP_201_CREATED)


class RangeRows(Endpoint):
    """Base of the endpoints of ranges."""

    serializer_class = ReferenceRangeAnswer

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        seen = ReferenceRange.objects.visible_to(self.request.user, capability)
        return seen.select_related("site").order_by(
            "site__code", "laboratory__code", "analyte", "sex", "age_from", "valid", "pk"
        )


class ReferenceRanges(RangeRows):
    policy = {"GET": SEES, "POST": KEEPS}
    filters = {
        "site": Filter("site__code"),
        "laboratory": Filter("laboratory_id", uuid.UUID),
        "analyte": Filter("analyte"),
    }

    def list(self, request: Request) -> Response:
        """Ranges of the register, ended and voided ones too."""
        return self.page(self.rows(), said_range)

    def retrieve(self, request: Request, range: uuid.UUID) -> Response:  # noqa: A002
        return Response(said_range(self.found(self.rows(), pk=range)))

    @extend_schema(request=NewRange, responses={201: ReferenceRangeAnswer})
    def create(self, request: Request) -> Response:
        """State a range from a day on; the open one before it ends that day."""
        body = self.body(NewRange)
        own = Laboratory.objects.visible_to(self.request.user, Capability.MANAGE_LABS)
        laboratory = own.filter(pk=body.pop("laboratory")).first()
        if laboratory is None:
            raise ValidationError({"laboratory": [_("There is no such laboratory for you.")]})
        since, until = body.pop("valid_from"), body.pop("valid_before")
        made = keep_range(
            laboratory=laboratory,
            values=RangeValues(**body),
            since=since,
            until=until,
            by=self.request.user,
        )
        return Response(said_range(made), status.HTTP_201_CREATED)


class RangeAct(RangeRows):
    policy = {"POST": KEEPS}

    def held(self, range_id: uuid.UUID) -> ReferenceRange:
        found: ReferenceRange = self.found(self.rows(Capability.MANAGE_LABS), pk=range_id)
        return found


class RangeEnding(RangeAct):
    @extend_schema(request=RangeEnd, responses=ReferenceRangeAnswer)
    def create(self, request: Request, range: uuid.UUID) -> Response:  # noqa: A002
        """End a range: from this day on it holds no longer."""
        found = self.held(range)
        on = self.body(RangeEnd)["valid_before"]
        ended = end_range(found=found, on=on, by=self.request.user)
        return Response(said_range(ended))


class RangeVoid(RangeAct):
    @extend_schema(request=VoidBody, responses=ReferenceRangeAnswer)
    def create(self, request: Request, range: uuid.UUID) -> Response:  # noqa: A002
        """Take a range out that was never right; it stays in the trail."""
        found, reason = self.held(range), self.body(VoidBody)["reason"]
        return Response(said_range(void_range(found=found, reason=reason, by=self.request.user)))


class Panels(Endpoint):
    """Draws with their results; the address of a draw is that of its record."""

    policy = {"GET": SEES, "POST": ENTERS, "PUT": ENTERS}
    serializer_class = PanelAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "visit": Filter("visit_id", uuid.UUID),
        "status": Filter("status", choices=tuple(RecordStatus.values)),
    }

    def rows(self) -> Any:
        seen = CrfRecord.objects.visible_to(self.request.user).filter(form_oid=FORM_OID)
        return seen.select_related("subject__site", "visit", "lab_panel__laboratory").order_by(
            "site__code", "subject__screening_number", "repeat_key", "pk"
        )

    @extend_schema(responses=PanelInBrief(many=True))
    def list(self, request: Request) -> Response:
        """Standing draws, expected ones too; results stand at a draw's own address."""
        return self.page(
            self.rows().filter(voided_at=None),
            lambda record: said_panel(record, getattr(record, "lab_panel", None)),
        )

    def retrieve(self, request: Request, record: uuid.UUID) -> Response:
        """One draw as it can be sent back with PUT."""
        return self.answer(self.found(self.rows(), pk=record))

    def answer(
        self, record: CrfRecord, saved: SavedPanel | None = None, code: int = 200
    ) -> Response:
        panel: LabPanel | None = saved.panel if saved else getattr(record, "lab_panel", None)
        rows = LabResult.objects.visible_to(self.request.user).filter(
            panel_id=record.pk, voided_at=None
        )
        body = {
            **said_panel(record, panel),
            "results": [said_result(row) for row in rows.order_by("analyte")],
            "asked": saved.asked if saved else {},
        }
        return Response(body, status=code, headers={"ETag": etag(record.version)})

    @extend_schema(request=NewPanel, responses={201: PanelAnswer})
    def create(self, request: Request) -> Response:
        """Open one more draw of a subject, at a visit or outside."""
        body = self.body(NewPanel)
        subject = Subject.objects.visible_to(self.request.user).filter(pk=body["subject"]).first()
        if subject is None:
            raise ValidationError({"subject": [_("There is no such subject for you.")]})
        visits = Visit.objects.visible_to(self.request.user).filter(subject=subject)
        if body["visit"] and not visits.filter(pk=body["visit"]).exists():
            raise ValidationError({"visit": [_("This subject has no such visit.")]})
        made = open_panel(subject=subject, visit_id=body["visit"], by=self.request.user)
        return self.answer(self.found(self.rows(), pk=made.pk), code=status.HTTP_201_CREATED)

    @extend_schema(request=PanelBody, responses=PanelAnswer)
    def update(self, request: Request, record: uuid.UUID) -> Response:
        """Save the whole draw; a result that is not sent is emptied.

        Completed data change only with a `reason`. `complete` completes the panel.
        """
        found, version = self.found(self.rows(), pk=record), expected_version(request)
        body = self.body(PanelBody)
        protocol = protocol_of(found.protocol_version_id)
        keys = [row["analyte"] for row in body["results"]]
        known = {panel.key for panel in protocol.labs.panels}
        if len(keys) > len(set(keys)):
            raise ValidationError({"results": [_("An analyte stands here twice.")]})
        if unknown := sorted(set(body["panels"]) - known):
            message = _("The protocol has no panel %(key)s.") % {"key": unknown[0]}
            raise ValidationError({"panels": [message]})
        texts = texts_of_body(body)
        entry = read_panel(protocol, texts, base=base_of_body(body, texts))
        if set(keys) - entry.rows.keys() - entry.errors.keys():
            raise ValidationError({"results": [_("An analyte's key is written in capitals.")]})
        with refusals_by_item():
            saved = save_panel(
                record=found,
                entry=entry,
                by=self.request.user,
                base_version=version,
                complete=body["complete"],
                reason=body["reason"],
            )
        return self.answer(self.found(self.rows(), pk=record), saved)


class PurificationRows(Endpoint):
    """Base of the endpoints of blood purifications."""

    serializer_class = PurificationAnswer

    def rows(self) -> Any:
        seen = PurificationInterval.objects.visible_to(self.request.user)
        return seen.select_related("subject__site").order_by(
            "site__code", "subject__screening_number", "started_at", "pk"
        )


class Purifications(PurificationRows):
    policy = {"GET": SEES, "POST": ENTERS}
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "kind": Filter("kind", choices=tuple(PurificationKind.values)),
    }

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), said_purification)

    def retrieve(self, request: Request, purification: uuid.UUID) -> Response:
        return Response(said_purification(self.found(self.rows(), pk=purification)))

    @extend_schema(request=NewPurification, responses={201: PurificationAnswer})
    def create(self, request: Request) -> Response:
        """Enter an earlier treatment that purified a subject's blood."""
        body = self.body(NewPurification)
        mine = Subject.objects.visible_to(self.request.user).select_related("site")
        subject = mine.filter(pk=body["subject"]).first()
        if subject is None:
            raise ValidationError({"subject": [_("There is no such subject for you.")]})
        made = record_purification(
            subject=subject,
            kind=body["kind"],
            started_at=_moment("started_at", body["started_at"]),
            ended_at=_moment("ended_at", body["ended_at"]),
            by=self.request.user,
        )
        return Response(
            said_purification(self.found(self.rows(), pk=made.pk)), status.HTTP_201_CREATED
        )


def _moment(name: str, text: str | None) -> Any:
    try:
        moment = WallTimeField().to_python(text)
    except Invalid as error:
        raise ValidationError({name: list(error.messages)}) from error
    if moment is None and name == "started_at":
        raise ValidationError({name: [_("Say when it began.")]})
    return moment


class PurificationVoid(PurificationRows):
    policy = {"POST": ENTERS}

    @extend_schema(request=VoidBody, responses=PurificationAnswer)
    def create(self, request: Request, purification: uuid.UUID) -> Response:
        """Take an earlier treatment out that did not happen so."""
        found = self.found(self.rows(), pk=purification)
        if found.origin is not None:
            raise DomainError(_("A session's time is corrected at the session."))
        reason = self.body(VoidBody)["reason"]
        voided = void_purification(interval=found, reason=reason, by=self.request.user)
        return Response(said_purification(self.found(self.rows(), pk=voided.pk)))


ROWS: dict[str, Any] = {"get": "list", "post": "create"}
ACT: dict[str, Any] = {"post": "create"}

routes: list[URLPattern] = [
    path("laboratories/", Laboratories.as_view(ROWS)),
    path("laboratories/<uuid:laboratory>/", Laboratories.as_view(DETAIL)),
    path("reference-ranges/", ReferenceRanges.as_view(ROWS)),
    path("reference-ranges/<uuid:range>/", ReferenceRanges.as_view(DETAIL)),
    path("reference-ranges/<uuid:range>/end/", RangeEnding.as_view(ACT)),
    path("reference-ranges/<uuid:range>/void/", RangeVoid.as_view(ACT)),
    *grades,
    path("lab-panels/", Panels.as_view(ROWS)),
    path("lab-panels/<uuid:record>/", Panels.as_view({"get": "retrieve", "put": "update"})),
    path("purifications/", Purifications.as_view(ROWS)),
    path("purifications/<uuid:purification>/", Purifications.as_view(DETAIL)),
    path("purifications/<uuid:purification>/void/", PurificationVoid.as_view(ACT)),
]
