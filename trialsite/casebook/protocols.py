"""The protocol under which a record is made: versions in the database, read as data."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.models import Site
from trialsite.casebook.models import ProtocolVersion, SiteProtocolApproval
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError
from trialsite.protocol import Protocol, load_text


@lru_cache(maxsize=16)
def _parsed(content: str) -> Protocol:
    return load_text(content)


@lru_cache(maxsize=64)
def protocol_of(version_id: int) -> Protocol:
    """The protocol data of a version; a version's content never changes."""
    version = ProtocolVersion.objects.get(pk=version_id)
    return _parsed(version.content)


@transaction.atomic
def register_version(path: Path) -> ProtocolVersion:
    """Keep the protocol file as a version of the study; the same file again changes nothing.

    Raises ProtocolError for an invalid file and DomainError where the version number is
    already taken by another content: an amendment is a new version.
    """
    content = path.read_text(encoding="utf-8-sig")
    protocol = load_text(content, name=path.name)
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


def approve_version(
    *, site: Site, version: ProtocolVersion, effective_on: dt.date
) -> SiteProtocolApproval:
    """Put a version in force at a site from a day on (its ethics committee's approval)."""
    approval, _made = SiteProtocolApproval.objects.get_or_create(
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
