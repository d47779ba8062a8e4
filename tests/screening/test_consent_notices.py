"""The word that a new consent is due: to whom, when, and to nobody once it is not."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from screening.consent_notices import after_quiet, still_due
from screening.models.consent import ConsentKind, Scope
from tests.factories import as_person, given, make_protocol
from tests.screening.consenting import consented, make_document, sign, wall, withdraw
from trialsite.casebook.models import Subject, SubjectStatus
from trialsite.core.clock import trial_now
from trialsite.notify.models import Notice
from trialsite.notify.planning import plan_notices, render
from trialsite.protocol.reminders import ReminderPlan

SHANGHAI = ZoneInfo("Asia/Shanghai")
PLAN = ReminderPlan(quiet_from=dt.time(21), quiet_until=dt.time(7))


@pytest.fixture
def due(cast):
    """A subject who owes a consent to version 2.0 since yesterday, and that document."""
    make_protocol(cast.site, cast.other_site)
    subject = consented(cast, make_document(cast, cast.site))
    return subject, make_document(cast, cast.site, version="2.0", days=-1, reconsent=True)


def planned() -> list[Notice]:
    plan_notices(trial_now())
    return given(lambda: list(Notice.objects.filter(kind="reconsent").order_by("pk")))()


def test_the_sites_people_are_told_once_each(cast, due):
    subject, _document = due
    first, again = planned(), planned()
    assert [notice.pk for notice in first] == [notice.pk for notice in again]
    readers = {notice.recipient_id for notice in first}
    assert readers == {cast.nurse.pk, cast.second_nurse.pk, cast.investigator.pk}
    assert {notice.object_id for notice in first} == {subject.pk}


def test_the_text_names_the_number_and_the_page_and_nothing_else(cast, due):
    subject, _document = due
    notice = planned()[0]
    with as_person(cast.nurse):
        mail = render(notice, cast.nurse)
    assert subject.label in mail.subject
    assert str(subject.pk) in mail.path
    assert "2.0" not in mail.body


@pytest.mark.requirement("PR6")
@pytest.mark.parametrize("ended", ["signed", "withdrawn", "died", "voided by the committee"])
def test_what_is_no_longer_due_is_not_sent(cast, due, ended):
    subject, document = due
    notices = planned()
    assert notices
    if ended == "signed":
        sign(cast, subject, document, kind=ConsentKind.RECONSENT)
    elif ended == "withdrawn":
        withdraw(cast, subject, Scope.ALL_DATA)
    elif ended == "died":
        change = Subject.objects.filter(pk=subject.pk).update
        given(lambda: change(status=SubjectStatus.DIED, died_on="2026-11-01"))()
    else:
        from screening.models import ConsentApproval
        from screening.services.consent_documents import withdraw_approval

        with as_person(cast.investigator):
            withdraw_approval(
                approval=ConsentApproval.objects.get(document=document),
                on=wall(cast.site).date(),
                reason="EC letter 12",
                by=cast.investigator,
            )
    assert given(lambda: still_due(notices))() == set()


@pytest.mark.parametrize(
    ("clock", "later"),
    [
        ("2026-03-05T20:59", "2026-03-05T20:59"),
        ("2026-03-05T21:00", "2026-03-06T07:00"),
        ("2026-03-06T00:30", "2026-03-06T07:00"),
        ("2026-03-06T06:59", "2026-03-06T07:00"),
        ("2026-03-06T07:00", "2026-03-06T07:00"),
    ],
)
def test_nobody_is_woken_for_it(clock, later):
    moment = dt.datetime.fromisoformat(clock).replace(tzinfo=SHANGHAI)
    expected = dt.datetime.fromisoformat(later).replace(tzinfo=SHANGHAI)
    assert after_quiet(moment, PLAN, SHANGHAI) == expected
