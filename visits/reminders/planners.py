"""The two kinds of reminders, as the outbox knows them, and the hours without any."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.core.exceptions import DomainError
from trialsite.notify.hours import Quiet
from trialsite.notify.planning import Planner, register_planner
from trialsite.notify.readers import provide_quiet_hours
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


@provide_quiet_hours
def quiet_hours(site: Site) -> Quiet | None:
    """The protocol's quiet hours, on the site's clock."""
    try:
        plan = protocol_of(version_in_force(site).pk).reminders
    except DomainError:  # no version is approved there yet
        return None
    if plan.quiet_from is None or plan.quiet_until is None:
        return None
    return Quiet(plan.quiet_from, plan.quiet_until)
