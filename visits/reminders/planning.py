"""What has come due, of every visit and session of the study, in one statement each.

The rules of all protocol versions are rows beside the visits. Only visits whose dates are
near are read, by the index on the day a rule counts from. `moments` says the same for one
visit, and explains it; the two are held together by a test.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection
from typing import Any

from trialsite.access.models import Membership, Site, User
from trialsite.casebook.models import (
    ConsentState,
    CrfRecord,
    LockState,
    ProtocolVersion,
    Subject,
    SubjectStatus,
    Visit,
)
from trialsite.casebook.models.visits import WAITING
from trialsite.casebook.protocols import protocol_of
from trialsite.notify.models import Notice, Planning, State
from trialsite.notify.planning import Rows
from trialsite.protocol.reminders import ReminderMoment, ReminderRule
from visits.models import TreatmentSession
from visits.reminders.moments import APART, LATE, OF_VISITS, clock_of, urgency

VISIT_KIND, SESSION_KIND = "visit", "session-check"
#: A week without a server loses no reminder; what is older was said, or helps nobody.
LOOK_BACK = dt.timedelta(days=7)
#: What an earlier pass has seen is looked at again for so long.
SECOND_LOOK = 2 * APART
#: Whoever is named by the protocol here stands for "nobody holds such a role".
NOBODY = "nobody"

_VISIT, _SESSION, _SUBJECT, _RECORD, _SITE, _MEMBER, _USER, _NOTICE = (
    model._meta.db_table
    for model in (
        Visit,
        TreatmentSession,
        Subject,
        CrfRecord,
        Site,
        Membership,
        User,
        Notice,
    )
)

#: Statuses in which a subject is followed up.
LEFT = (SubjectStatus.SCREEN_FAILED, SubjectStatus.DIED)


def _in(values: Collection[str]) -> str:
    """The choices as SQL text: an index on a condition is found by the same words."""
    return ", ".join(f"'{value!s}'" for value in values)


#: Whoever died, left in screening or withdrew all data is not waited for, nor what is locked.
FOLLOWED = (
    f"s.died_on = '' AND s.status NOT IN ({_in([each.value for each in LEFT])}) "
    f"AND s.consent_state <> '{ConsentState.WITHDRAWN.value}' "
    f"AND s.lock_state = '{LockState.OPEN.value}'"
)

_RULES = """
    SELECT * FROM jsonb_to_recordset(%s::jsonb) AS r (
        version bigint, key text, rank int, moment text, days int, hours int,
        at time, roles text[], first_day date, last_day date)
"""

#: For each moment the column of visits that it counts from, which an index holds.
_COUNTED_FROM = {
    ReminderMoment.WINDOW_OPENS: "v.first_day",
    ReminderMoment.TARGET_DAY: "v.target_on",
    ReminderMoment.LAST_WINDOW_DAY: "v.last_day",
}

_NEAR = " UNION ALL ".join(
    f"""
    SELECT v.id AS about, v.site_id, v.subject_id, v.anchor_version, v.dated_at AS since,
           r.key, r.rank, r.version, z.time_zone,
           ({column} + r.days + r.at) AT TIME ZONE z.time_zone
               + make_interval(hours => r.hours) AS due
      FROM rule r JOIN {_VISIT} v ON v.protocol_version_id = r.version
           AND {column} BETWEEN r.first_day AND r.last_day
           JOIN {_SITE} z ON z.id = v.site_id
     WHERE r.moment = '{moment.value}'
       AND v.status IN ({_in([each.value for each in WAITING])})
       AND v.lock_state = '{LockState.OPEN.value}'
    """
    for moment, column in _COUNTED_FROM.items()
)

#: Sessions end on their own clock; what became known later is said then.
_ENDED = f"""
    SELECT t.record_id AS about, t.site_id, t.subject_id, 0 AS anchor_version,
           '-infinity'::timestamptz AS since, r.key, r.rank, r.version, z.time_zone,
           CASE WHEN r.at IS NULL THEN t.ended_at + make_interval(days => r.days)
                ELSE t.ended_at::date + r.days + r.at END AT TIME ZONE t.time_zone
               + make_interval(hours => r.hours) AS due
      FROM rule r JOIN {_RECORD} c ON c.protocol_version_id = r.version
           JOIN {_SESSION} t ON t.record_id = c.id
           JOIN {_SITE} z ON z.id = t.site_id
     WHERE t.voided_at IS NULL AND t.ended_at >= r.first_day AND t.ended_at < r.last_day + 1
"""

#: Who held a role of a rule at a site and since when, and whether that is still so.
_HOLDERS = f"""
    SELECT r.version, r.key, z.id AS site_id, m.user_id, m.valid_from,
           least(m.valid_until, m.ended_on - 1) AS valid_until, u.deactivated_at,
           u.is_active
               AND coalesce(least(m.valid_until, m.ended_on - 1), 'infinity')
                   >= (%s::timestamptz AT TIME ZONE z.time_zone)::date AS still
      FROM rule r JOIN {_MEMBER} m ON m.role = ANY (r.roles)
           JOIN {_SITE} z ON m.site_id = z.id OR m.site_id IS NULL
           JOIN {_USER} u ON u.id = m.user_id
"""

_SENTENCE = """
    WITH rule AS MATERIALIZED ({rules}),
    holder AS MATERIALIZED ({holders}),
    step AS MATERIALIZED (
        SELECT n.*, (n.due AT TIME ZONE n.time_zone)::date AS day
          FROM ({near}) n JOIN {subjects} s ON s.id = n.subject_id
         WHERE {followed} AND n.due > n.since AND n.due > %s AND n.due < %s
    ),
    heard AS (
        SELECT step.*, h.user_id
          FROM step LEFT JOIN holder h
               ON h.version = step.version AND h.key = step.key AND h.site_id = step.site_id
              AND step.day BETWEEN h.valid_from AND coalesce(h.valid_until, 'infinity')
              AND coalesce(h.deactivated_at > step.due, true)
         WHERE h.user_id IS NULL OR h.still
    ),
    latest AS (
        SELECT DISTINCT ON (about, user_id) *
          FROM (SELECT heard.*, min(due) FILTER (WHERE due > %s)
                       OVER (PARTITION BY about, user_id) AS following FROM heard) heard
         WHERE due <= %s
         ORDER BY about, user_id, due DESC, rank DESC
    )
    SELECT about, site_id, user_id, CASE WHEN due < %s THEN %s ELSE due END,
           about || ':' || key || ':' || coalesce(user_id::text, '{nobody}')
               || ':' || anchor_version || ':' || day
      FROM latest
     WHERE NOT (due < %s AND coalesce(following < %s, false))
       AND NOT EXISTS (
           SELECT FROM {notices} told
            WHERE told.object_id = latest.about AND told.recipient_id = latest.user_id
              AND told.kind = '{kind}' AND told.state NOT IN ({untold})
              AND coalesce(told.sent_at, told.due_at) > %s)
"""


def _sentence(kind: str, near: str) -> str:
    untold = (State.CANCELLED, State.FAILED, State.NOBODY)
    return _SENTENCE.format(
        rules=_RULES,
        holders=_HOLDERS,
        near=near,
        subjects=_SUBJECT,
        followed=FOLLOWED,
        nobody=NOBODY,
        notices=_NOTICE,
        kind=kind,
        untold=_in([each.value for each in untold]),
    )


_OF_VISITS, _OF_SESSIONS = _sentence(VISIT_KIND, _NEAR), _sentence(SESSION_KIND, _ENDED)


def plan_visits(now: dt.datetime) -> Rows:
    """For each person the reminder of each visit that is due and was not said."""
    return _OF_VISITS, _parameters(VISIT_KIND, OF_VISITS, now)


def plan_sessions(now: dt.datetime) -> Rows:
    """The look for adverse events after each session, as the protocol asks."""
    return _OF_SESSIONS, _parameters(SESSION_KIND, (ReminderMoment.SESSION_ENDS,), now)


def _parameters(kind: str, moments: Collection[ReminderMoment], now: dt.datetime) -> list[object]:
    begin = _begin(kind, now)
    rules = [
        _row(version, rule, rank, begin, now)
        for version in ProtocolVersion.objects.values_list("pk", flat=True)
        for rank, rule in enumerate(sorted(protocol_of(version).reminders.rules, key=urgency))
        if rule.moment in moments
    ]
    late, soon = now - LATE, now + APART
    return [
        *(json.dumps(rules), now),
        *(begin, soon),
        *(now, now),
        *(late, now),
        *(late, soon),
        now - APART,
    ]


def _begin(kind: str, now: dt.datetime) -> dt.datetime:
    """From when on moments are looked at: what came due before was planned by an earlier
    pass, but for what had to wait or was taken back since."""
    passes = Planning.objects.filter(kind=kind).values_list("through", flat=True)
    last = min(passes.first() or now - LOOK_BACK, now)
    return max(last - SECOND_LOOK, now - LOOK_BACK)


def _row(
    version: int, rule: ReminderRule, rank: int, begin: dt.datetime, now: dt.datetime
) -> dict[str, Any]:
    """One rule of one version, with the days whose moments by it can lie near now.

    A day more at each end: it is yesterday or tomorrow somewhere.
    """
    shortest, rest = divmod(rule.hours, 24)
    first = begin.date() - dt.timedelta(days=rule.days + shortest + bool(rest) + 1)
    last = (now + APART).date() - dt.timedelta(days=rule.days + shortest - 1)
    of_visit = rule.moment in OF_VISITS
    return {
        "version": version,
        "key": rule.key,
        "rank": rank,
        "moment": rule.moment.value,
        "days": rule.days,
        "hours": rule.hours,
        "at": (clock_of(rule) if of_visit else rule.at) and clock_of(rule).isoformat(),
        "roles": list(rule.roles),
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
    }
