"""Whatever happens in whatever order: what was said of a visit stays, death ends the rest."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable

from django.db import transaction
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from screening.models.consent import Scope
from screening.services.consent_records import void_part
from tests.factories import as_person, given
from tests.screening.consenting import withdraw
from tests.visits.scheduling import consenting, today
from trialsite.casebook.models import Subject, Visit, VisitMode, VisitStatus
from trialsite.casebook.services import (
    add_visit,
    attend_visit,
    cancel_visit,
    miss_visit,
    open_visit,
    record_death,
    revoke_death,
    set_day_zero,
    take_back_visit,
)
from trialsite.core.exceptions import DomainError
from trialsite.protocol import EventRole

DAY = dt.timedelta(days=1)
#: A service, and what it is told.
Act = tuple[Callable[..., object], dict[str, object]]
_OF_VISITS: dict[str, Callable[[Visit, dt.date], Act]] = {
    "attend": lambda visit, on: (attend_visit, {"visit": visit, "on": on, "mode": VisitMode.WARD}),
    "miss": lambda visit, _on: (miss_visit, {"visit": visit, "reason": "x"}),
    "open": lambda visit, _on: (open_visit, {"visit": visit}),
    "take back": lambda visit, _on: (take_back_visit, {"visit": visit, "reason": "x"}),
    "cancel": lambda visit, _on: (cancel_visit, {"visit": visit, "reason": "x"}),
}
_OF_SUBJECTS: dict[str, Callable[[Subject, dt.date], Act]] = {
    "anchor": lambda subject, on: (set_day_zero, {"subject": subject, "day_zero": on}),
    "unanchor": lambda subject, _on: (set_day_zero, {"subject": subject, "day_zero": None}),
    "die": lambda subject, on: (record_death, {"subject": subject, "died_on": on.isoformat()}),
    "revive": lambda subject, _on: (revoke_death, {"subject": subject}),
    "add": lambda subject, on: (
        add_visit,
        {"subject": subject, "on": on, "role": EventRole.EXTRA},
    ),
    "end": lambda subject, on: (
        add_visit,
        {"subject": subject, "on": on, "role": EventRole.EARLY_TERMINATION},
    ),
}
steps = st.lists(
    st.tuples(
        st.sampled_from([*_OF_VISITS, *_OF_SUBJECTS, "withdraw", "void"]),
        st.integers(0, 12),
        st.integers(-50, 1),
        st.sampled_from([Scope.TREATMENT, Scope.CONTACT, Scope.ALL_DATA]),
    ),
    max_size=14,
)


def visits_of(subject) -> list[Visit]:
    rows = Visit.objects.filter(subject=subject).select_related("subject__site")
    return given(lambda: list(rows.order_by("event_oid", "repeat_key")))()


def try_step(cast, subject, step, withdrawn) -> None:
    name, which, shift, scope = step
    on = today(cast.site) + shift * DAY
    try:
        if name == "withdraw":
            withdrawn.append(withdraw(cast, subject, scope, days=min(shift, 0)))
        elif name == "void":
            if withdrawn:
                with as_person(cast.nurse):
                    void_part(part=withdrawn.pop(), reason="x", by=cast.nurse)
        else:
            rows = visits_of(subject)
            visit = rows[which % len(rows)]
            known = _OF_VISITS.get(name)
            service, said = known(visit, on) if known else _OF_SUBJECTS[name](subject, on)
            with as_person(cast.nurse):
                service(by=cast.nurse, **said)
    except DomainError:
        pass


def dates(visit: Visit) -> tuple[object, ...]:
    return visit.target_on, visit.window_ends, visit.attended_on


@settings(max_examples=60)
@examples(steps=steps)
def test_whatever_happens_the_schedule_stays_true(cast, steps):
    with transaction.atomic():
        subject = consenting(cast, days=-60)
        withdrawn: list[object] = []
        for step in steps:
            before = {visit.pk: visit for visit in visits_of(subject)}
            try_step(cast, subject, step, withdrawn)
            after = visits_of(subject)
            counted = Counter((visit.event_oid, visit.repeat_key) for visit in after)
            assert set(counted.values()) == {1}
            assert {visit.pk for visit in after} >= set(before)
            for visit in after:
                old = before.get(visit.pk)
                if old and old.status == visit.status == VisitStatus.ATTENDED:
                    assert dates(old) == dates(visit)
            died = given(Subject.objects.get)(pk=subject.pk).died_on
            ends = [
                visit.window_ends[1] if visit.window_ends else visit.target_on
                for visit in after
                if visit.status == VisitStatus.PLANNED
            ]
            if died:
                assert all(end is not None and end.isoformat() < died for end in ends)
        transaction.set_rollback(True)
