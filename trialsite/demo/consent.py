"""Consent in the demonstration: one document in two languages, one signed form a subject."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from screening.models import ConsentDocument, ScreeningEntry
from screening.models.consent import ConsentLanguage, Signer
from screening.selectors.consent import investigators_of
from screening.services.consent import SignedAct, give_consent
from screening.services.consent_documents import add_document, approve_document
from trialsite.access.context import context_of
from trialsite.access.models import Site, User
from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now
from trialsite.core.context import Channel, acting

VERSION = "1.0"
TITLES = {
    ConsentLanguage.CHINESE: "知情同意书（虚构）",
    ConsentLanguage.ENGLISH: "Informed consent (SYNTHETIC)",
}


def make_documents(sites: Iterable[Site], *, by: User, since: dt.date) -> None:
    """The first version, approved and in force at every site since the study began."""
    with acting(context_of(by, Channel.COMMAND)):
        documents = [
            add_document(
                version=VERSION,
                language=language,
                title=title,
                change_note="",
                reconsent_required=False,
                reference="TMF 2.2.1 (SYNTHETIC)",
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
                    reference=f"EC-{site.code}-1",
                    approved_on=since,
                    effective_on=since,
                    by=by,
                )


def consent_of(entry: ScreeningEntry, *, by: User) -> Subject:
    """The person of this entry signs, an hour ago: the subject that then appears."""
    site = entry.site
    at = (trial_now() - dt.timedelta(hours=1)).astimezone(ZoneInfo(site.time_zone))
    explained_by, _role = investigators_of(site, on=at.date())[0]
    act = SignedAct(
        document=ConsentDocument.objects.get(version=VERSION, language=ConsentLanguage.CHINESE),
        signed_at=at.replace(tzinfo=None, second=0, microsecond=0),
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
    return give_consent(entry=entry, act=act, by=by).subject
