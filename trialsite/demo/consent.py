"""Consent in the demonstration: two versions of one document, signed forms, capacity."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from zoneinfo import ZoneInfo

from screening.models import ConsentDocument, ScreeningEntry
from screening.models.consent import (
    CapacityOutcome,
    ConsentKind,
    ConsentLanguage,
    HeGrade,
    Signer,
)
from screening.selectors.consent import ApprovalState, approvals_at, investigators_of
from screening.services.capacity import assess_capacity
from screening.services.consent import (
    ProcedureRefusedError,
    SignedAct,
    add_consent,
    give_consent,
    require_procedure_allowed,
)
from screening.services.consent_documents import add_document, approve_document
from trialsite.access.context import context_of
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.context import Channel, acting

FIRST, SECOND = "1.0", "1.1"
TITLES = {
    ConsentLanguage.CHINESE: "知情同意书（虚构）",
    ConsentLanguage.ENGLISH: "Informed consent (SYNTHETIC)",
}


def make_first_documents(sites: Iterable[Site], *, by: User, since: dt.date) -> None:
    """The first version, approved and in force at every site since the study began."""
    _make(FIRST, sites, by=by, on=since)


def make_second_documents(sites: Iterable[Site], *, by: User) -> None:
    """A second version, which asks for re-consent, in force at these sites from today."""
    for site in sites:
        _make(SECOND, [site], by=by, on=trial_today(site.time_zone))


def _make(version: str, sites: Iterable[Site], *, by: User, on: dt.date) -> None:
    anew = version != FIRST
    with acting(context_of(by, Channel.COMMAND)):
        known = list(ConsentDocument.objects.filter(version=version))
        documents = known or [
            add_document(
                version=version,
                language=language,
                title=title,
                change_note="New risk: clotting of the circuit (SYNTHETIC)" if anew else "",
                reconsent_required=anew,
                reference=f"TMF 2.2.{version} (SYNTHETIC)",
                by=by,
            )
            for language, title in TITLES.items()
        ]
        for site in sites:
            for document in documents:
                approve_document(
                    site=site,
                    document=document,
                    committee="Ethics committee (SYNTHETIC)",
                    reference=f"EC-{site.code}-{version}",
                    approved_on=on,
                    effective_on=on,
                    by=by,
                )


def consent_of(entry: ScreeningEntry, *, by: User, signer: str = Signer.PARTICIPANT) -> Subject:
    """The person of this entry signs, an hour ago, capacity assessed just before.

    Where the spouse signs, the act is kept: that it was no participant's own is what the
    engine finds.
    """
    act = replace(_act(entry.site), signer=signer)
    if signer == Signer.REPRESENTATIVE:
        act = replace(act, relation="spouse (SYNTHETIC)")
    subject = give_consent(entry=entry, act=act, by=by).subject
    assess_capacity(
        subject=subject,
        assessed_at=act.signed_at - dt.timedelta(minutes=20),
        assessor=act.explained_by,
        he_grade=HeGrade.NONE,
        outcome=CapacityOutcome.PRESENT,
        method="Conversation, tells the study in own words (SYNTHETIC)",
        by=by,
    )
    return subject


def consent_again(subject: Subject, *, by: User) -> None:
    """The participant reads the version that is in force now, and signs it."""
    act = replace(_act(subject.site), kind=ConsentKind.RECONSENT)
    add_consent(subject=subject, act=act, by=by)


def _act(site: Site) -> SignedAct:
    """What a participant signs at this site, an hour ago."""
    now = trial_now().astimezone(ZoneInfo(site.time_zone)).replace(tzinfo=None, second=0)
    at = now.replace(microsecond=0) - dt.timedelta(hours=1)
    explained_by, _role = investigators_of(site, on=at.date())[0]
    return SignedAct(
        document=_in_force(site),
        signed_at=at,
        signer=Signer.PARTICIPANT,
        explained_by=explained_by,
        named_representative="spouse (SYNTHETIC)",
        copy_given=True,
        future_use=True,
        genetic_analysis=False,
        later_contact=True,
        data_sharing=True,
        comment="SYNTHETIC",
    )


def _in_force(site: Site) -> ConsentDocument:
    offered = approvals_at([site])[site.pk]
    return next(
        each.document
        for each in offered
        if each.state is ApprovalState.IN_FORCE
        and each.document.language == ConsentLanguage.CHINESE
    )


def attempt_procedure(subject: Subject, *, by: User) -> None:
    """Somebody prepares a session that consent does not carry: refused, a deviation proposed."""
    try:
        require_procedure_allowed(subject=subject, by=by, procedure="Reactor session (SYNTHETIC)")
    except ProcedureRefusedError as refused:
        refused.propose()
