"""The two kinds of reminders, as the outbox knows them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.notify.planning import Planner, register_planner
from visits.reminders import planning, standing, words

register_planner(
    Planner(
        kind=planning.VISIT_KIND,
        title=_("Visits: opening, due, closing, overdue"),
        plan=planning.plan_visits,
        still_due=standing.visits_still_due,
        about=words.of_visits,
        render=words.visit_reminder,
        bundled=True,
    )
)
# Falls due a day after the session, whatever the hour: in the next day's digest it would be late.
register_planner(
    Planner(
        kind=planning.SESSION_KIND,
        title=_("Adverse event check after a session"),
        plan=planning.plan_sessions,
        still_due=standing.sessions_still_due,
        about=words.of_sessions,
        render=words.session_reminder,
    )
)
