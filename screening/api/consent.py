"""Consent through the API: documents, approvals, signed acts, capacity, withdrawals."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError as Invalid
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from screening.api.consent_answers import (
    ApprovalWithdrawn,
    CapacityAnswer,
    ConsentAnswer,
    ConsentApprovalAnswer,
    DocumentAnswer,
    MissingBody,
    NewApproval,
    NewCapacity,
    NewConsent,
    NewDocument,
    NewWithdrawal,
    WithdrawalAnswer,
    said_approval,
    said_capacity,
    said_consent,
    said_document,
    said_withdrawal,
)
from screening.models import (
    CapacityAssessment,
    Consent,
    ConsentApproval,
    ScreeningEntry,
    Withdrawal,
)
from screening.models.consent import (
    CapacityOutcome,
    ConsentDocument,
    ConsentKind,
    ConsentPart,
    Signer,
)
from screening.selectors.consent import all_documents, approvals_at, documents_at, explainers_at
from screening.services.capacity import assess_capacity, withdraw_consent
from screening.services.consent import SignedAct, add_consent, complete_consent, give_consent
from screening.services.consent_documents import (
    add_document,
    approve_document,
    withdraw_approval,
)
from screening.services.consent_records import void_part
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import Site, User
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint, PreconditionFailed, etag, expected_version
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, DETAIL, ENTERS, SEES
from trialsite.casebook.models import Subject
from trialsite.core.wall_time import WallTimeField

SEEN = Capability.VIEW_CASEBOOK
CONFIGURES = Policy(Audience.STAFF, Capability.CONFIGURE_STUDY)
LIST: dict[str, Any] = {"get": "list", "post": "create"}


def wall_of(name: str, text: str) -> dt.datetime:
    """A time on the clock at the site; else 400 at its name."""
    try:
        read = WallTimeField().to_python(text)
    except Invalid as invalid:
        raise ValidationError({name: invalid.messages}) from invalid
    if read is None:
        raise ValidationError({name: [_("Enter a date and time, such as 2026-03-05 14:30.")]})
    return read


def person_of(name: str, address: str, site: Site) -> User:
    """An investigator of the site by the account's address; else 400 at the name."""
    found = explainers_at(site).filter(email=address.casefold()).first()
    if found is None:
        raise ValidationError({name: [_("There is no such investigator for you.")]})
    return found


class Parts(Endpoint):
    """Acts of one kind; a voided one stays in the list and says so."""

    policy = {"GET": SEES, "POST": ENTERS}
    table: type[ConsentPart]
    said: Callable[..., dict[str, Any]]
    ordering: str
    people: tuple[str, ...] = ()

    def rows(self) -> Any:
        table: Any = self.table
        return (
            table.objects.visible_to(self.request.user)
            .select_related("subject__site", "record", "recorded_by", *self.people)
            .order_by("subject__site__code", "subject__screening_number", self.ordering, "pk")
        )

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), type(self).said)

    def one(self, pk: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found = self.found(self.rows(), pk=pk)
        said = type(self).said(found)
        return Response(said, code, headers={"ETag": etag(found.record.version)})

    def subject_of(self, body: dict[str, Any]) -> Subject:
        mine = Subject.objects.visible_to(self.request.user, Capability.ENTER_DATA)
        subject = mine.select_related("site").filter(pk=body.pop("subject")).first()
        if subject is None:
            raise ValidationError({"subject": [_("There is no such subject for you.")]})
        return subject

    def seen(self, pk: uuid.UUID) -> Any:
        """The act in the version that was read, of a site where the person enters data."""
        table: Any = self.table
        mine = table.objects.visible_to(self.request.user, Capability.ENTER_DATA)
        found = self.found(
            mine.select_related("subject__site", "record").select_for_update(
                no_key=True, of=("self", "record")
            ),
            pk=pk,
        )
        if found.record.version != expected_version(self.request):  # type: ignore[arg-type]
            raise PreconditionFailed(_("Somebody else changed this record. Read it again."))
        return found

    def voided(self, pk: uuid.UUID) -> Response:
        found = self.seen(pk)
        void_part(part=found, reason=self.body(VoidBody)["reason"], by=self.request.user)
        return self.one(pk)


class Consents(Parts):
    serializer_class = ConsentAnswer
    table, said, ordering = Consent, staticmethod(said_consent), "signed_at"
    people = ("document", "explained_by")
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "kind": Filter("kind", choices=tuple(ConsentKind.values)),
        "signer": Filter("signer", choices=tuple(Signer.values)),
        "document_version": Filter("document__version"),
    }

    def retrieve(self, request: Request, consent: uuid.UUID) -> Response:
        return self.one(consent)

    @extend_schema(request=NewConsent, responses={201: ConsentAnswer})
    def create(self, request: Request) -> Response:
        """Record a signed act. For an entry of the screening log the subject appears with it."""
        body = self.body(NewConsent)
        entry, subject = self._whose(body)
        site = entry.site if entry else subject.site  # type: ignore[union-attr]
        act = self._act(body, site)
        if entry is not None:
            made = give_consent(entry=entry, act=act, by=self.request.user)
        else:
            assert subject is not None
            made = add_consent(subject=subject, act=act, by=self.request.user)
        return self.one(made.pk, status.HTTP_201_CREATED)

    def _whose(self, body: dict[str, Any]) -> tuple[ScreeningEntry | None, Subject | None]:
        if ("entry" in body) == ("subject" in body):
            raise ValidationError({"subject": [_("Name the subject, or the entry of the log.")]})
        if "subject" in body:
            return None, self.subject_of(body)
        mine = ScreeningEntry.objects.visible_to(self.request.user, Capability.ENTER_DATA)
        entry = mine.select_related("site").filter(pk=body.pop("entry")).first()
        if entry is None:
            raise ValidationError({"entry": [_("There is no such entry for you.")]})
        return entry, None

    def _act(self, body: dict[str, Any], site: Site) -> SignedAct:
        version, language = body.pop("document_version"), body.pop("document_language")
        document = documents_at(site).filter(version=version, language=language).first()
        if document is None:
            raise ValidationError(
                {"document_version": [_("This document was never approved at this site.")]}
            )
        body["signed_at"] = wall_of("signed_at", body["signed_at"])
        body["explained_by"] = person_of("explained_by", body["explained_by"], site)
        body["resumes"] = tuple(body["resumes"])
        return SignedAct(document=document, **body)


class ConsentVoid(Consents):
    policy = {"POST": ENTERS}
    matches = True

    @extend_schema(request=VoidBody, responses=ConsentAnswer)
    def create(self, request: Request, consent: uuid.UUID) -> Response:  # type: ignore[override]
        """Take an act out that was entered in error; it stays in the trail."""
        return self.voided(consent)


class ConsentMissing(Consents):
    policy = {"POST": ENTERS}
    matches = True

    @extend_schema(request=MissingBody, responses=ConsentAnswer)
    def create(self, request: Request, consent: uuid.UUID) -> Response:  # type: ignore[override]
        """Add what was missing: the copy given, the answer to an optional question."""
        found, body = self.seen(consent), self.body(MissingBody)
        given = body.pop("copy_given")
        complete_consent(consent=found, by=self.request.user, copy_given=given, options=body)
        return self.one(consent)


class Capacities(Parts):
    serializer_class = CapacityAnswer
    table, said, ordering = CapacityAssessment, staticmethod(said_capacity), "assessed_at"
    people = ("assessor",)
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "outcome": Filter("outcome", choices=tuple(CapacityOutcome.values)),
    }

    def retrieve(self, request: Request, assessment: uuid.UUID) -> Response:
        return self.one(assessment)

    @extend_schema(request=NewCapacity, responses={201: CapacityAnswer})
    def create(self, request: Request) -> Response:
        """Record an investigator's assessment of the capacity to consent."""
        body = self.body(NewCapacity)
        subject = self.subject_of(body)
        body["assessed_at"] = wall_of("assessed_at", body["assessed_at"])
        body["assessor"] = person_of("assessor", body["assessor"], subject.site)
        made = assess_capacity(subject=subject, by=self.request.user, **body)
        return self.one(made.pk, status.HTTP_201_CREATED)


class CapacityVoid(Capacities):
    policy = {"POST": ENTERS}
    matches = True

    @extend_schema(request=VoidBody, responses=CapacityAnswer)
    def create(self, request: Request, assessment: uuid.UUID) -> Response:  # type: ignore[override]
        """Take an assessment out that was entered in error."""
        return self.voided(assessment)


class Withdrawals(Parts):
    serializer_class = WithdrawalAnswer
    table, said, ordering = Withdrawal, staticmethod(said_withdrawal), "withdrawn_at"
    filters = {"site": Filter("site__code"), "subject": Filter("subject_id", uuid.UUID)}

    def retrieve(self, request: Request, withdrawal: uuid.UUID) -> Response:
        return self.one(withdrawal)

    @extend_schema(request=NewWithdrawal, responses={201: WithdrawalAnswer})
    def create(self, request: Request) -> Response:
        """Record what a participant takes back; all data stops every entry at once."""
        body = self.body(NewWithdrawal)
        subject = self.subject_of(body)
        body["withdrawn_at"] = wall_of("withdrawn_at", body["withdrawn_at"])
        made = withdraw_consent(subject=subject, by=self.request.user, **body)
        return self.one(made.pk, status.HTTP_201_CREATED)


class WithdrawalVoid(Withdrawals):
    policy = {"POST": ENTERS}
    matches = True

    @extend_schema(request=VoidBody, responses=WithdrawalAnswer)
    def create(self, request: Request, withdrawal: uuid.UUID) -> Response:  # type: ignore[override]
        """Take a withdrawal out that was entered in error."""
        return self.voided(withdrawal)


class Documents(Endpoint):
    policy = {"GET": SEES, "POST": CONFIGURES}
    serializer_class = DocumentAnswer
    filters = {"version": Filter("version"), "language": Filter("language")}

    def list(self, request: Request) -> Response:
        return self.page(all_documents(), said_document)

    @extend_schema(request=NewDocument, responses={201: DocumentAnswer})
    def create(self, request: Request) -> Response:
        """Enter one language of a version; it counts nowhere until it is approved at a site."""
        made = add_document(by=self.request.user, **self.body(NewDocument))
        return Response(said_document(made), status.HTTP_201_CREATED)


class Approvals(Endpoint):
    policy = {"GET": SEES, "POST": CONFIGURES}
    serializer_class = ConsentApprovalAnswer
    filters = {"site": Filter("site__code"), "document_version": Filter("document__version")}

    def list(self, request: Request) -> Response:
        """At each of the person's sites, the newest first, with what each is worth today."""
        mine = ConsentApproval.objects.visible_to(self.request.user)
        ordered = mine.order_by("site__code", "-effective_on", "-pk")
        sites = Site.objects.filter(pk__in=self.request.user.access.sites(SEEN))
        offered = {each.approval.pk: each for rows in approvals_at(sites).values() for each in rows}
        return self.page(ordered, lambda approval: said_approval(offered[approval.pk]))

    def site_of(self, code: str) -> Site:
        mine = self.request.user.access.sites(Capability.CONFIGURE_STUDY)
        site = Site.objects.filter(pk__in=mine, code=code).first()
        if site is None:
            raise ValidationError({"site": [_("There is no such site for you.")]})
        return site

    def answer(self, site: Site, document: ConsentDocument, code: int) -> Response:
        rows = approvals_at([site])[site.pk]
        found = next(each for each in rows if each.document == document)
        return Response(said_approval(found), code)

    @extend_schema(request=NewApproval, responses={201: ConsentApprovalAnswer})
    def create(self, request: Request) -> Response:
        """Put a document in force at a site; the same document again corrects the approval."""
        body = self.body(NewApproval)
        site = self.site_of(body.pop("site"))
        version, language = body.pop("document_version"), body.pop("document_language")
        document = all_documents().filter(version=version, language=language).first()
        if document is None:
            raise ValidationError({"document_version": [_("There is no such document.")]})
        approve_document(site=site, document=document, by=self.request.user, **body)
        return self.answer(site, document, status.HTTP_201_CREATED)


class ApprovalWithdraw(Approvals):
    policy = {"POST": CONFIGURES}

    @extend_schema(request=ApprovalWithdrawn, responses=ConsentApprovalAnswer)
    def create(self, request: Request) -> Response:
        """The committee took its approval back: nobody signs this document from that day on."""
        body = self.body(ApprovalWithdrawn)
        site = self.site_of(body["site"])
        wanted = (body["document_version"], body["document_language"])
        found = next(
            (
                each.approval
                for each in approvals_at([site])[site.pk]
                if (each.document.version, each.document.language) == wanted
            ),
            None,
        )
        if found is None:
            raise ValidationError({"document_version": [_("There is no such document.")]})
        withdraw_approval(
            approval=found, on=body["on"], reason=body["reason"], by=self.request.user
        )
        return self.answer(site, found.document, status.HTTP_200_OK)


routes: list[URLPattern] = [
    path("consents/", Consents.as_view(LIST)),
    path("consents/<uuid:consent>/", Consents.as_view(DETAIL)),
    path("consents/<uuid:consent>/missing/", ConsentMissing.as_view(ACT)),
    path("consents/<uuid:consent>/void/", ConsentVoid.as_view(ACT)),
    path("capacity-assessments/", Capacities.as_view(LIST)),
    path("capacity-assessments/<uuid:assessment>/", Capacities.as_view(DETAIL)),
    path("capacity-assessments/<uuid:assessment>/void/", CapacityVoid.as_view(ACT)),
    path("withdrawals/", Withdrawals.as_view(LIST)),
    path("withdrawals/<uuid:withdrawal>/", Withdrawals.as_view(DETAIL)),
    path("withdrawals/<uuid:withdrawal>/void/", WithdrawalVoid.as_view(ACT)),
    path("consent-documents/", Documents.as_view(LIST)),
    path("consent-approvals/", Approvals.as_view(LIST)),
    path("consent-approvals/withdraw/", ApprovalWithdraw.as_view(ACT)),
]
