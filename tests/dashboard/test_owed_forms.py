"""The database itself keeps which forms are owed, on whatever road visits and records change."""

from __future__ import annotations

import pytest
from hypothesis import given as for_all
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.dashboard.conftest import TODAY
from tests.factories import given, make_cast, make_record, make_subject, make_visit
from trialsite.casebook.models import CrfRecord, RecordStatus, Visit, VisitMode, VisitStatus
from trialsite.core.clock import trial_now
from trialsite.core.context import because
from trialsite.dashboard.models import OwedForm

ATTENDED = {
    "status": VisitStatus.ATTENDED,
    "attended_on": TODAY,
    "mode": VisitMode.ON_SITE,
}
PLANNED = {"status": VisitStatus.PLANNED, "attended_on": None, "mode": ""}


@given
def change(thing, **fields) -> None:
    with because("test"):
        type(thing).objects.filter(pk=thing.pk).update(**fields)


@given
def owed() -> set[CrfRecord]:
    return {row.record for row in OwedForm.objects.standing().select_related("record")}


@pytest.fixture
def visit(cast) -> Visit:
    return make_visit(make_subject(cast.site))


def test_a_visit_owes_its_forms_once_it_took_place(visit):
    first, second = (make_record(visit.subject, visit=visit, repeat_key=n) for n in (1, 2))
    change(second, status=RecordStatus.COMPLETE)
    assert owed() == set()
    change(visit, **ATTENDED)
    assert owed() == {first}
    change(visit, **PLANNED)
    assert owed() == set()
    change(visit, **ATTENDED)
    assert owed() == {first}


def test_a_form_laid_out_after_the_visit_is_owed(visit):
    change(visit, **ATTENDED)
    late = make_record(visit.subject, visit=visit)
    assert owed() == {late}


@pytest.mark.parametrize(
    "end",
    [
        {"status": RecordStatus.COMPLETE},
        {"status": RecordStatus.NOT_DONE, "not_done_reason": "Machine out of order"},
        {"voided_at": trial_now, "void_reason": "Wrong subject"},
    ],
)
def test_a_form_is_owed_until_it_is_done_or_voided(visit, end):
    record = make_record(visit.subject, visit=visit)
    change(visit, **ATTENDED)
    change(record, status=RecordStatus.IN_PROGRESS)
    assert owed() == {record}
    change(record, **{key: value() if callable(value) else value for key, value in end.items()})
    assert owed() == set()


def test_a_form_of_no_visit_is_never_owed(visit):
    make_record(visit.subject)
    assert owed() == set()


_ACTS = st.lists(
    st.tuples(st.sampled_from(["lay", "begin", "finish", "undo", "attend", "plan"]),
              st.integers(0, 5)),
    max_size=25,
)  # fmt: skip


@for_all(acts=_ACTS)
@hypothesis_settings(max_examples=25)
def test_after_any_acts_owed_is_what_the_rows_say(db, acts):
    from django.db import transaction

    with transaction.atomic():
        _play(acts)
        transaction.set_rollback(True)


def _play(acts) -> None:
    visits = [make_visit(make_subject(make_cast().site))]
    visits.append(make_visit(visits[0].subject, "SE.D28"))
    records: list[CrfRecord] = []
    for act, which in acts:
        visit = visits[which % 2]
        if act == "lay":
            key = len(records) + 1
            records.append(make_record(visit.subject, visit=visit, repeat_key=key))
        elif act in {"attend", "plan"}:
            change(visit, **(ATTENDED if act == "attend" else PLANNED))
        elif records:
            status = {"begin": "in_progress", "finish": "complete", "undo": "not_started"}[act]
            change(records[which % len(records)], status=status)
    assert owed() == _said_by_the_rows()


@given
def _said_by_the_rows() -> set[CrfRecord]:
    done = (RecordStatus.COMPLETE, RecordStatus.NOT_DONE)
    standing = CrfRecord.objects.standing().filter(visit__status=VisitStatus.ATTENDED)
    return set(standing.exclude(status__in=done))
