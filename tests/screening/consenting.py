"""Documents in force and signed acts, as the tests of consent need them."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Collection
from typing import Any
from zoneinfo import ZoneInfo

from screening.models import (
    CapacityAssessment,
    Consent,
    ConsentApproval,
    ConsentDocument,
    Withdrawal,
)
from screening.models.consent import ConsentKind, Scope, Signer
from screening.services.capacity import assess_capacity, withdraw_consent
from screening.services.consent import SignedAct, add_consent
from screening.services.consent_documents import add_document, approve_document
from screening.standing import in_force
from tests.factories import Cast, as_person, make_subject
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now

OPTIONS = {
    "future_use": True,
    "genetic_analysis": False,
    "later_contact": True,
    "data_sharing": True,
}


#: When the running test first asked, by the trial's clock and by a stopwatch: one test has one
#: "now", whatever minute passes meanwhile, until somebody sets the trial's clock.
asked_at: list[tuple[dt.datetime, float]] = []
_SET = dt.timedelta(minutes=2)


def wall(site: Site, *, days: float = 0, hours: float = 0) -> dt.datetime:
    """The clock on the site's wall, shifted from now."""
    now, watch = trial_now(), time.perf_counter()
    first, began = asked_at[0] if asked_at else (now, watch)
    if not asked_at or abs(now - first - dt.timedelta(seconds=watch - began)) > _SET:
        first = now
        asked_at[:] = [(now, watch)]
    moment = first + dt.timedelta(days=days, hours=hours)
    return moment.astimezone(ZoneInfo(site.time_zone)).replace(tzinfo=None, second=0, microsecond=0)


def make_document(
    cast: Cast,
    *sites: Site,
    version: str = "1.0",
    language: str = "zh",
    days: int = -100,
    reconsent: bool = False,
) -> ConsentDocument:
    """A document, in force at the sites so many days from today."""
    with as_person(cast.investigator):
        document = add_document(
            version=version,
            language=language,
            title="Informed consent",
            change_note="",
            reconsent_required=reconsent,
            reference="TMF 2.2.1",
            by=cast.investigator,
        )
        for site in sites:
            approve(cast, site, document, on=wall(site, days=days).date())
    return document


def approve(cast: Cast, site: Site, document: ConsentDocument, *, on: dt.date) -> ConsentApproval:
    """The ethics committee's approval, in force from a day."""
    with as_person(cast.investigator):
        return approve_document(
            site=site,
            document=document,
            committee="Ethics committee",
            reference="EC-2026-7",
            approved_on=on - dt.timedelta(days=3),
            effective_on=on,
            by=cast.investigator,
        )


def paper_in_force(cast: Cast) -> ConsentDocument:
    """A document that has long counted at the site: the one there is, else a new one.

    The running product's database is shared: which papers other tests made there is unknown.
    """
    days = [wall(cast.site, days=ago).date() for ago in (-60, 0)]
    with as_person(cast.investigator):
        at_site = list(ConsentApproval.objects.filter(site=cast.site).select_related("document"))
        taken = set(ConsentDocument.objects.values_list("version", flat=True))
    for paper in (each.document for each in at_site if each.document.language == "zh"):
        if all(in_force(at_site, paper, day) for day in days):
            return paper
    version = next(f"1.{n}" for n in itertools.count() if f"1.{n}" not in taken)
    return make_document(cast, cast.site, version=version)


def an_act(cast: Cast, site: Site, document: ConsentDocument, **said: Any) -> SignedAct:
    """A signed form, complete unless said otherwise."""
    days, hours = said.pop("days", 0), said.pop("hours", 0)
    fields: dict[str, Any] = {
        "document": document,
        "signed_at": wall(site, days=days, hours=hours),
        "signer": Signer.PARTICIPANT,
        "explained_by": cast.investigator,
        "copy_given": True,
        **OPTIONS,
    }
    return SignedAct(**(fields | said))


def sign(cast: Cast, subject: Subject, document: ConsentDocument, **said: Any) -> Consent:
    """The subject signs, and the nurse records it."""
    by = said.pop("by", cast.nurse)
    if said.get("signer") == Signer.REPRESENTATIVE:
        said.setdefault("relation", "daughter")
    with as_person(by):
        act = an_act(cast, subject.site, document, **said)
        return add_consent(subject=subject, act=act, by=by)


def consented(cast: Cast, document: ConsentDocument, *, days: float = -20) -> Subject:
    """A subject who signed so many days from now."""
    subject = make_subject(cast.site)
    sign(cast, subject, document, days=days)
    return subject


def assess(
    cast: Cast,
    subject: Subject,
    outcome: str,
    *,
    grade: str = "I",
    days: float = 0,
    hours: float = 0,
    by: User | None = None,
) -> CapacityAssessment:
    """An investigator's assessment of capacity."""
    with as_person(by or cast.nurse):
        return assess_capacity(
            subject=subject,
            assessed_at=wall(subject.site, days=days, hours=hours),
            assessor=cast.sub_investigator,
            he_grade=grade,
            outcome=outcome,
            method="Interview, four questions",
            by=by or cast.nurse,
        )


def withdraw(
    cast: Cast, subject: Subject, *scopes: Scope, days: float = 0, hours: float = 0
) -> Withdrawal:
    """The participant takes something back."""
    with as_person(cast.nurse):
        return withdraw_consent(
            subject=subject,
            withdrawn_at=wall(subject.site, days=days, hours=hours),
            scopes=scopes,
            stated_by=Signer.PARTICIPANT,
            by=cast.nurse,
        )


def resume(
    cast: Cast, subject: Subject, document: ConsentDocument, *scopes: Collection[str], **said: Any
) -> Consent:
    """A later consent that takes a withdrawal back."""
    return sign(cast, subject, document, kind=ConsentKind.RECONSENT, resumes=tuple(scopes), **said)
