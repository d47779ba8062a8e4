"""The dataset of reminders: what was said to whom and when, of a subject nothing."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from trialsite.notify.models import By, Lane, Notice, State

NOTICES, SITES, USERS = (model._meta.db_table for model in (Notice, Site, User))


@register_datasets
def reminders() -> list[Dataset]:
    """One line for each notice of a site, by each channel."""
    return [
        Dataset(
            name="reminders",
            title=_("Reminders"),
            columns=(
                Column(name="SITEID", sql="t.code", label=_("Site")),
                Column(name="NOTICE", sql="n.id", label=_("Notice"), kind=Kind.ID),
                Column(name="NOTKIND", sql="n.kind", label=_("Kind")),
                Column(name="RECIPIENT", sql="u.full_name", label=_("Person")),
                Column(name="CHANNEL", sql="n.channel", label=_("Channel"), codes=dict(By.choices)),
                Column(name="LANE", sql="n.lane", label=_("How it is sent"), codes=_LANES),
                Column(name="DUE", sql="n.due_at", label=_("Due"), kind=Kind.MOMENT),
                Column(name="TOSEND", sql="n.send_at", label=_("To be sent"), kind=Kind.MOMENT),
                Column(name="STATE", sql="n.state", label=_("State"), codes=dict(State.choices)),
                Column(name="SENT", sql="n.sent_at", label=_("Sent"), kind=Kind.MOMENT),
                Column(name="SEEN", sql="n.seen_at", label=_("Seen"), kind=Kind.MOMENT),
                Column(name="ATTEMPTS", sql="n.attempts", label=_("Attempts"), kind=Kind.INTEGER),
                Column(name="DOUBTS", sql="n.doubts", label=_("In doubt"), kind=Kind.INTEGER),
                Column(name="REPEATS", sql="n.repeats", label=_("Sent again"), kind=Kind.INTEGER),
                Column(name="DIGEST", sql="n.within_id", label=_("Digest"), kind=Kind.ID),
                Column(name="LASTERROR", sql="n.last_error", label=_("Last error")),
            ),
            source=f"{NOTICES} n JOIN {SITES} t ON t.id = n.site_id "
            f"LEFT JOIN {USERS} u ON u.id = n.recipient_id",
            site="n.site_id",
            order='t.code COLLATE "C", n.due_at, n.id',
            needs=Capability.VIEW_NOTICES,
        )
    ]


_LANES = dict(Lane.choices)
