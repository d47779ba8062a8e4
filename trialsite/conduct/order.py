"""The order of holds and enrolments: neither happens unseen by the other."""

from __future__ import annotations

from django.db import connection

#: Whoever changes what binds enrolment waits for the enrolments in flight, and the reverse.
NAME = "trialsite: holds and gates"


def decide_under_holds(*, changing: bool = False) -> None:
    """Take part in the order of holds and enrolments until the transaction ends.

    Deciding goes side by side; a change of holds, rules or reviews waits for all who decide
    and lets nobody begin before it is done. So no enrolment follows a hold unseen.
    """
    lock = "pg_advisory_xact_lock" if changing else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(hashtextextended(%s, 0))", [NAME])
