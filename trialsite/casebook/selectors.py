"""Reads that look over several models, each for one person."""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet, Subquery

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.audit.models import Event
from trialsite.casebook.models import (
    CrfRecord,
    ProtocolVersion,
    SiteProtocolApproval,
)
from trialsite.core.clock import trial_now


def sites_of(user: User) -> QuerySet[Site]:
    """The sites whose casebooks this person may see."""
    return Site.objects.filter(pk__in=user.access.sites(Capability.VIEW_CASEBOOK))


def records_of(user: User) -> QuerySet[CrfRecord]:
    """The records this person may see, voided ones too, each with the time of its last change."""
    last = Event.objects.filter(record_id=OuterRef("pk")).order_by("-eid").values("at")[:1]
    return (
        CrfRecord.objects.visible_to(user)
        .annotate(updated_at=Subquery(last))
        .select_related("subject__site", "visit")
        .order_by("site__code", "subject__screening_number", "form_oid", "repeat_key", "pk")
    )


def current_version() -> ProtocolVersion:
    """The version most recently put in force at any site, else the one loaded last."""
    approval = (
        SiteProtocolApproval.objects.filter(effective_on__lte=trial_now().date())
        .select_related("version")
        .order_by("-effective_on", "-id")
        .first()
    )
    return approval.version if approval else ProtocolVersion.objects.latest("id")


def approvals_of(version: ProtocolVersion, user: User) -> QuerySet[SiteProtocolApproval]:
    """From which day the version is in force at each of this person's sites."""
    sites = user.access.sites(Capability.VIEW_CASEBOOK)
    return version.approvals.filter(site_id__in=sites).select_related("site")
