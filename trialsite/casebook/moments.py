"""Why an observation cannot have been made when it is said to have been made."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from trialsite.casebook.models import Subject
from trialsite.core.clock import trial_now, trial_today
from trialsite.core.partial_dates import PartialDate


def future_problem(wall: dt.datetime, zone: str, now: dt.datetime | None = None) -> str:
    """Why a time on the clock of a zone cannot be yet; empty where it can.

    Who asks for many times states `now` once.
    """
    moment = wall.replace(tzinfo=ZoneInfo(zone))
    return _("This time has not come yet.") if moment > (now or trial_now()) else ""


def not_yet(
    when: dt.datetime | dt.date | PartialDate, zone: str, now: dt.datetime | None = None
) -> str:
    """The same for a time, a date or a partial date; a month that has begun may be."""
    if isinstance(when, dt.datetime):
        return future_problem(when, zone, now)
    day = when.earliest if isinstance(when, PartialDate) else when
    today = now.astimezone(ZoneInfo(zone)).date() if now else trial_today(zone)
    return _("This date lies in the future.") if day > today else ""


def death_problem(subject: Subject, day: dt.date) -> str:
    """Why nothing of the person is dated so late (decisions C10); empty where it may be."""
    return after_death(subject.died_on, day)


def after_death(died_on: str, day: dt.date) -> str:
    """The same by the date of death alone, as the casebook keeps it.

    The day of death itself stands, and every day that a partial date leaves possible.
    """
    if not died_on or day <= PartialDate.parse(died_on).latest:
        return ""
    return _("The participant died on %(date)s: this is later.") % {"date": died_on}


def day_problem(subject: Subject, day: dt.date) -> str:
    """Why the person cannot have been seen on a day; empty where they can (decisions C10)."""
    return not_yet(day, subject.site.time_zone) or death_problem(subject, day)
