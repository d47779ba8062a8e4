"""The word to those who may hold that something happened for which the study would pause.

Urgent: it waits for no quiet hours and cannot be switched off. Of the participant it says
the number, of the event what it is, and it leads to the page where the hold is decided.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Role
from trialsite.access.models import Membership, User
from trialsite.conduct.models import ProposalStatus, ProposedHold
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail, Planner, Rows, register_planner

#: The principal investigators and safety officers of the site and of the whole study.
TOLD = (Role.PRINCIPAL_INVESTIGATOR, Role.SAFETY_OFFICER)
#: Whoever joins later reads of it on the page of holds, not in an alert.
SAID_FOR = dt.timedelta(days=14)

_ROWS = f"""
    SELECT p.id, p.site_id, m.user_id, p.raised_at,
           p.id::text || ':' || coalesce(m.user_id::text, 'nobody')
    FROM {ProposedHold._meta.db_table} p LEFT JOIN (
        SELECT DISTINCT m.user_id, m.site_id FROM {Membership._meta.db_table} m
        JOIN {User._meta.db_table} u ON u.id = m.user_id AND u.is_active
        WHERE m.role = ANY (%s) AND m.valid_from <= %s
          AND (m.valid_until IS NULL OR m.valid_until >= %s)
          AND (m.ended_on IS NULL OR m.ended_on > %s)
    ) m ON m.site_id IS NULL OR m.site_id = p.site_id
    WHERE p.trigger = ANY (%s) AND p.raised_at > %s AND p.cause_ended_at IS NULL
"""


def register_hold_alert(*, kind: str, title: str | Promise, triggers: Collection[str]) -> None:
    """Register the alert of proposals that these events raise."""

    def plan(now: dt.datetime) -> Rows:
        today = now.date()
        who, what = [each.value for each in TOLD], [str(each) for each in triggers]
        values = [who, today, today, today, what, now - SAID_FOR]
        # The same person at the site and study-wide is told once.
        return f"SELECT DISTINCT * FROM ({_ROWS}) AS told", values

    register_planner(
        Planner(
            kind=kind,
            title=title,
            plan=plan,
            still_due=still_due,
            about=about,
            render=lambda notice, user: render(title, notice, user),
            urgent=True,
        )
    )


def about(notices: list[Notice]) -> dict[uuid.UUID, object]:
    """The proposal of each notice, read at once."""
    ids = [str(notice.object_id) for notice in notices]
    rows = ProposedHold.objects.filter(pk__in=ids).select_related("site", "subject")
    known = {row.pk: row for row in rows}
    return {notice.pk: known[notice.object_id] for notice in notices if notice.object_id in known}


def still_due(notices: list[Notice]) -> set[uuid.UUID]:
    """All but those whose cause was taken back or which somebody has dismissed meanwhile."""
    return {
        key
        for key, proposal in about(notices).items()
        if isinstance(proposal, ProposedHold)
        and proposal.cause_ended_at is None
        and proposal.status != ProposalStatus.DISMISSED
    }


def render(title: str | Promise, notice: Notice, user: User) -> Mail:
    """What happened, to whom by number, and whether it is held already."""
    rows = ProposedHold.objects.select_related("site", "subject")
    proposal = rows.get(pk=str(notice.object_id))
    number = proposal.subject.label if proposal.subject else proposal.site.code
    done = (
        _("A rule that the study has switched on has placed a hold. Only the study’s principal "
          "investigator lifts it.")
        if proposal.status == ProposalStatus.PLACED
        else _("A hold of the study is proposed. Please place it, or say why none is needed.")
        if proposal.study_wide
        else _("A hold of the site is proposed. Please place it, or say why none is needed.")
    )  # fmt: skip
    return Mail(
        subject=f"{title}: {number}",
        body=_("%(name)s, subject %(number)s: %(what)s %(done)s")
        % {"name": user.full_name, "number": number, "what": f"{title}.", "done": done},
        path=reverse("conduct:proposed_hold", args=[proposal.pk]),
    )
