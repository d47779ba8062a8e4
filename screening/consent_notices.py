"""The word to the site's people that a participant must consent anew (protocol: reminders).

Nothing is planned for whoever died, left, or withdrew all data: nothing is due then, and a
notice already planned is asked again before it leaves (trust PR6).
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from screening.selectors.consent import DueLine, reconsent_due, standings_of
from trialsite.access.models import Membership, Site, User
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.notify.models import Notice
from trialsite.notify.planning import Mail, Planner, Rows, register_planner
from trialsite.protocol.reminders import ReminderMoment, ReminderPlan, ReminderRule

_CAST = "(%s::uuid, %s::bigint, %s::bigint, %s::timestamptz, %s::text)"
_NOTHING = "SELECT NULL::uuid, NULL::bigint, NULL::bigint, now(), '' WHERE false"
_MORNING = dt.time(8)


def plan(now: dt.datetime) -> Rows:
    """A notice for each person whom the protocol names, for each consent that came due."""
    lines = reconsent_due(Site.objects.values_list("pk", flat=True), now=now)
    rows = [row for line in lines for row in _of_line(line, now)]
    if not rows:
        return _NOTHING, ()
    values = ", ".join([_CAST] * len(rows))
    return f"SELECT * FROM (VALUES {values}) AS due", [each for row in rows for each in row]


def _of_line(line: DueLine, now: dt.datetime) -> Iterator[tuple[Any, ...]]:
    subject = line.subject
    reminders = protocol_of(subject.protocol_version_id).reminders
    zone = ZoneInfo(subject.site.time_zone)
    for rule in reminders.rules:
        if rule.moment is not ReminderMoment.RECONSENT_DUE:
            continue
        due_at = _moment(rule, reminders, line.since, zone, now)
        for person in _recipients(rule, subject.site, now.astimezone(zone).date()):
            key = f"{subject.pk}:{rule.key}:{line.due[-1].since}:{person or 'nobody'}"
            yield subject.pk, subject.site_id, person, due_at, key


def _moment(
    rule: ReminderRule,
    reminders: ReminderPlan,
    since: dt.date,
    zone: ZoneInfo,
    now: dt.datetime,
) -> dt.datetime:
    """The rule's clock time at the site; one long past is said now, though not at night."""
    day = since + dt.timedelta(days=rule.days)
    due_at = dt.datetime.combine(day, rule.at or _MORNING, zone) + dt.timedelta(hours=rule.hours)
    return due_at if due_at > now else after_quiet(now, reminders, zone)


def after_quiet(moment: dt.datetime, reminders: ReminderPlan, zone: ZoneInfo) -> dt.datetime:
    """The moment itself, or the end of the quiet hours into which it falls."""
    begin, end = reminders.quiet_from, reminders.quiet_until
    if begin is None or end is None:
        return moment
    there = moment.astimezone(zone)
    clock = there.time()
    over_night = begin > end
    quiet = (clock >= begin or clock < end) if over_night else begin <= clock < end
    if not quiet:
        return moment
    day = there.date() + dt.timedelta(days=over_night and clock >= begin)
    return dt.datetime.combine(day, end, zone)


def _recipients(rule: ReminderRule, site: Site, today: dt.date) -> list[int | None]:
    """Who holds a named role at the site today; nobody shows as nobody to send to."""
    held = Membership.objects.on(today).filter(
        Q(site=site) | Q(site=None), role__in=rule.roles, user__is_active=True
    )
    return list(held.order_by("user").values_list("user", flat=True).distinct()) or [None]


def still_due(notices: list[Notice]) -> set[uuid.UUID]:
    """The notices among these whose subject still owes a consent."""
    subjects = [subject for subject in about(notices).values() if isinstance(subject, Subject)]
    owing = {key for key, standing in standings_of(subjects).items() if standing.due}
    return {notice.pk for notice in notices if notice.object_id in owing}


def about(notices: list[Notice]) -> dict[uuid.UUID, object]:
    """The subject of each notice, read at once."""
    ids = [str(notice.object_id) for notice in notices]
    known = {each.pk: each for each in Subject.objects.filter(pk__in=ids).select_related("site")}
    return {notice.pk: known[notice.object_id] for notice in notices if notice.object_id in known}


def render(notice: Notice, user: User) -> Mail:
    """The number and where to read on; of the participant nothing else."""
    subject = notice.about
    assert isinstance(subject, Subject)
    return Mail(
        subject=_("Re-consent due: %(number)s") % {"number": subject.label},
        body=_(
            "%(name)s, subject %(number)s must consent anew. New protocol procedures wait for "
            "it; observations, safety reports and survival go on."
        )
        % {"name": user.full_name, "number": subject.label},
        path=reverse("screening:consent", args=[subject.pk]),
    )


register_planner(
    Planner(
        kind="reconsent",
        title=_lazy("Re-consent due"),
        plan=plan,
        still_due=still_due,
        about=about,
        render=render,
    )
)
