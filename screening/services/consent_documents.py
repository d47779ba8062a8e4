"""Keeping consent documents and their approvals (ICH E6 4.8, 8.2.3): the investigator's."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from screening.models.consent import ConsentApproval, ConsentDocument, ConsentLanguage
from screening.services.consent_records import FieldsError, sync_site
from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.core.context import because
from trialsite.core.exceptions import TransitionError


@transaction.atomic
def add_document(
    *,
    version: str,
    language: str,
    title: str,
    change_note: str,
    reconsent_required: bool,
    reference: str,
    by: User,
) -> ConsentDocument:
    """Enter one language of a version; all languages of a version ask for re-consent or none.

    `reference` says where it comes from (the file in the trial master file); the trail keeps it.
    """
    by.require(Capability.CONFIGURE_STUDY)
    version, title = version.strip(), title.strip()
    FieldsError.unless(
        version="" if version else _("Name the version."),
        title="" if title else _("Enter the title."),
        reference="" if reference.strip() else _("Say where the document is filed."),
        language="" if language in ConsentLanguage.values else _("Choose a language."),
        reconsent_required=_same_demand(version, demand=reconsent_required),
    )
    try:
        with transaction.atomic(), because(reference.strip()):
            return ConsentDocument.objects.create(
                version=version,
                language=language,
                title=title,
                change_note=change_note.strip(),
                reconsent_required=reconsent_required,
            )
    except IntegrityError as error:
        message = _("This version is already there in this language.")
        raise FieldsError({"version": [message]}) from error


def _same_demand(version: str, *, demand: bool) -> str:
    others = ConsentDocument.objects.filter(version=version)
    if others.exclude(reconsent_required=demand).exists():
        return _("The other languages of this version say otherwise.")
    return ""


@transaction.atomic
def approve_document(
    *,
    site: Site,
    document: ConsentDocument,
    committee: str,
    reference: str,
    approved_on: dt.date,
    effective_on: dt.date,
    by: User,
) -> ConsentApproval:
    """Put a document in force at a site by its ethics committee's approval.

    The same document again corrects the dates; the trail keeps what was said before.
    """
    by.require(Capability.CONFIGURE_STUDY, site=site)
    committee, reference = committee.strip(), reference.strip()
    FieldsError.unless(
        committee="" if committee else _("Name the ethics committee."),
        reference="" if reference else _("Enter the approval's number."),
        effective_on=""
        if effective_on >= approved_on
        else _("A document is in force from its approval at earliest."),
    )
    with because(f"{committee}, {reference}, {approved_on.isoformat()}"):
        waiting = ConsentApproval.objects.select_for_update(no_key=True)
        approval, made = waiting.get_or_create(
            site=site,
            document=document,
            defaults={
                "committee": committee,
                "reference": reference,
                "approved_on": approved_on,
                "effective_on": effective_on,
            },
        )
        if not made:
            _correct(approval, committee, reference, approved_on, effective_on)
    sync_site(site)
    return approval


def _correct(
    approval: ConsentApproval,
    committee: str,
    reference: str,
    approved_on: dt.date,
    effective_on: dt.date,
) -> None:
    if approval.withdrawn_on is not None:
        raise TransitionError(_("This approval has been withdrawn."))
    approval.committee, approval.reference = committee, reference
    approval.approved_on, approval.effective_on = approved_on, effective_on
    approval.save(update_fields=["committee", "reference", "approved_on", "effective_on"])


@transaction.atomic
def withdraw_approval(
    *, approval: ConsentApproval, on: dt.date, reason: str, by: User
) -> ConsentApproval:
    """The committee took its approval back: nobody signs this document from that day on."""
    waiting = ConsentApproval.objects.select_for_update(no_key=True, of=("self",))
    approval = waiting.select_related("site").get(pk=approval.pk)
    by.require(Capability.CONFIGURE_STUDY, site=approval.site_id)
    if approval.withdrawn_on is not None:
        raise TransitionError(_("This approval has been withdrawn."))
    reason = reason.strip()[:500]
    FieldsError.unless(
        reason="" if reason else _("Say why, with the committee's reference."),
        on="" if on >= approval.approved_on else _("This is before the approval."),
    )
    with because(reason):
        approval.withdrawn_on, approval.withdrawal_reason = on, reason
        approval.save(update_fields=["withdrawn_on", "withdrawal_reason"])
    sync_site(approval.site)
    return approval
