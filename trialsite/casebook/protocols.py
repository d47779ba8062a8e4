"""The protocol under which a record is made: versions in the database, read as data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, ProtocolVersion, SiteProtocolApproval, Visit
from trialsite.core.clock import trial_today
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError
from trialsite.protocol import Protocol, StudyEventDef, load, load_text


@lru_cache(maxsize=16)
def _parsed(content: str) -> Protocol:
    return load_text(content)


@lru_cache(maxsize=16)
def _checked(
    content: str, name: str, forms: frozenset[str] | None, items: frozenset[str] | None
) -> Protocol:
    """The protocol of a file's text, valid against these forms and items; a problem is not kept."""
    return load_text(content, name=name, known_forms=forms, known_items=items)


@lru_cache(maxsize=64)
def protocol_of(version_id: int) -> Protocol:
    """The protocol data of a version; a version's content never changes."""
    version = ProtocolVersion.objects.get(pk=version_id)
    return _parsed(version.content)


def event_of(visit: Visit) -> StudyEventDef:
    """What the protocol says of a visit, in the version under which it was laid out."""
    return protocol_of(visit.protocol_version_id).schedule.event(visit.event_oid)


def visit_name(visit: Visit) -> str:
    """A visit in the words of its own protocol version; only what recurs is counted."""
    event = event_of(visit)
    name = event.name.in_language(get_language() or "en")
    return f"{name} {visit.repeat_key}" if event.repeating else name


def in_order_of_visit(records: Iterable[CrfRecord], event_oid: str) -> list[CrfRecord]:
    """The records of a visit as the protocol lists its forms; others follow, by their OID."""

    def position(record: CrfRecord) -> tuple[int, str, int]:
        listed = protocol_of(record.protocol_version_id).schedule.event(event_oid).forms
        known = record.form_oid in listed
        place = listed.index(record.form_oid) if known else len(listed)
        return place, record.form_oid, record.repeat_key

    return sorted(records, key=position)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        load(path)  # says which line is no text
        raise


def _frozen(names: Collection[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


@transaction.atomic
def register_version(
    path: Path,
    *,
    by: User | None = None,
    known_forms: Collection[str] | None = None,
    known_items: Collection[str] | None = None,
    seen_hash: str = "",
) -> ProtocolVersion:
    """Keep the protocol file as a version of the study; the same file again changes nothing.

    Without a person the system does it. Raises ProtocolError for an invalid file or a form
    or item that is not among the known ones, and DomainError where the file is no longer the one
    that was seen, or where the version number is already taken by another content: an
    amendment is a new version.
    """
    if by is not None:
        by.require(Capability.CONFIGURE_STUDY)
    content = _text_of(path)
    protocol = _checked(content, path.name, _frozen(known_forms), _frozen(known_items))
    if seen_hash and seen_hash != protocol.content_hash:
        raise DomainError(_("The file has changed since you read it. Read it again, then load it."))
    version, made = ProtocolVersion.objects.get_or_create(
        version=protocol.version,
        defaults={"content": content, "content_hash": protocol.content_hash},
    )
    if not made and version.content_hash != protocol.content_hash:
        raise DomainError(
            _("Version %(version)s has another content already: an amendment is a new version.")
            % {"version": protocol.version}
        )
    return version


@transaction.atomic
def approve_version(
    *,
    site: Site,
    version: ProtocolVersion,
    effective_on: dt.date,
    by: User | None = None,
    reference: str = "",
) -> SiteProtocolApproval:
    """Put a version in force at a site from a day on (its ethics committee's approval).

    A person names the approval; the trail keeps it as the reason. The same version again
    with another day corrects the day. Without a person the system does it, and a version
    that has its day keeps it.
    """
    if by is None:
        return _approval(site, version, effective_on)
    by.require(Capability.CONFIGURE_STUDY, site=site)
    if not reference.strip():
        raise DomainError(_("Name the ethics committee's approval: committee, number, date."))
    with because(reference.strip()):
        approval = _approval(site, version, effective_on)
        if approval.effective_on != effective_on:
            approval.effective_on = effective_on
            approval.save(update_fields=["effective_on"])
    return approval


def _approval(site: Site, version: ProtocolVersion, effective_on: dt.date) -> SiteProtocolApproval:
    waiting = SiteProtocolApproval.objects.select_for_update(no_key=True)
    approval, _made = waiting.get_or_create(
        site=site, version=version, defaults={"effective_on": effective_on}
    )
    return approval


def version_in_force(site: Site, *, on: dt.date | None = None) -> ProtocolVersion:
    """The version in force at a site on a day (default: today there)."""
    day = on or trial_today(site.time_zone)
    approval = (
        SiteProtocolApproval.objects.filter(site=site, effective_on__lte=day)
        .select_related("version")
        .order_by("-effective_on", "-id")
        .first()
    )
    if approval is None:
        raise DomainError(
            _("No protocol version is approved at site %(site)s yet.") % {"site": site.code}
        )
    return approval.version
