"""Reminders of a recorded death for which no serious adverse event is entered.

At the hours at which a report is reminded of, to the same people, urgent as those are; the
text says that a report is owed, and nothing of a death (decisions C13, C17).
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from outcomes.models import UnreportedDeath
from outcomes.sae_notices import hours_until
from outcomes.selectors.sae_deaths import clocks_of, open_deaths, plan_of
from outcomes.selectors.sae_people import People, as_rows
from outcomes.services.sae_deaths import DEATH_REMINDER
from trialsite.access.models import User
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail, Planner, Rows, register_planner


def last_hour(death: UnreportedDeath, now: dt.datetime) -> tuple[int, dt.datetime, bool] | None:
    """The last hour that has come (the protocol's, then daily), when that was, and whether it
    escalates."""
    plan = plan_of(death)
    found = None
    for hours in hours_until(plan, death.known_at, now) if plan else ():
        at = death.known_at + dt.timedelta(hours=hours)
        if plan is not None and at <= now:
            found = (hours, at, hours >= plan.escalate_after)
    return found


def plan(now: dt.datetime) -> Rows:
    """A notice for each death, hour and person; nobody to tell is a notice too."""
    deaths = list(open_deaths())
    people = People((each.site for each in deaths), now)
    rows: list[Any] = []
    for death in deaths:
        step = last_hour(death, now)
        if step is None:
            continue
        hours, at, escalated = step
        readers: list[int | None] = [*sorted(people.of(death.site_id, site=True, study=escalated))]
        for person in readers or [None]:
            key = f"{death.pk}:h{hours}:{death.clock_version}:{person or 'nobody'}"
            rows.append((death.pk, death.site_id, person, at, key))
    return as_rows(rows)


def still_due(notices: list[Notice]) -> set[uuid.UUID]:
    """Those of the last hour that has come, for who is still responsible, of what is open."""
    now = trial_now()
    deaths = list(open_deaths({notice.object_id for notice in notices if notice.object_id}))
    people = People((each.site for each in deaths), now)
    due = {}
    for death in deaths:
        if (step := last_hour(death, now)) is not None:
            key = (death.pk, f"h{step[0]}:{death.clock_version}")
            due[key] = people.of(death.site_id, site=True, study=step[2])
    found = set()
    for notice in notices:
        _kind, death_id, name, version, _person = notice.dedupe_key.rsplit("!", 1)[-1].split(":")
        told = due.get((uuid.UUID(death_id), f"{name}:{version}"))
        if told is not None and (notice.recipient_id in told or not told):
            found.add(notice.pk)
    return found


def about(notices: list[Notice]) -> dict[uuid.UUID, object]:
    rows = UnreportedDeath.objects.select_related("site", "subject", "record").in_bulk(
        [notice.object_id for notice in notices]
    )
    return {notice.pk: rows[notice.object_id] for notice in notices if notice.object_id in rows}


def render(notice: Notice, user: User) -> Mail:
    """The subject's number, to whom a report is owed and by when."""
    death = notice.about
    assert isinstance(death, UnreportedDeath)
    zone = ZoneInfo(death.site.time_zone)
    lines = [
        _("%(to)s: by %(due)s")
        % {
            "to": clock.recipient.label,
            "due": f"{clock.due_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})",
        }
        for clock in clocks_of(death, trial_now())
    ]
    number = death.subject.label
    return Mail(
        subject=_("Report of a serious adverse event owed: %(number)s") % {"number": number},
        body=_("%(person)s,\n\nof subject %(number)s a serious adverse event is to be entered and "
               "reported.\n\n%(owed)s")
        % {"person": user.full_name, "number": number, "owed": "\n".join(lines)},
        path=reverse("outcomes:safety"),
    )  # fmt: skip


register_planner(
    Planner(
        kind=DEATH_REMINDER,
        title=gettext_lazy("Serious adverse events still to be entered"),
        plan=plan,
        still_due=still_due,
        about=about,
        render=render,
        urgent=True,
    )
)
