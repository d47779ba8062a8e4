"""Two at the records of one participant never wait for each other in a ring."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from outcomes.models import Disposition, SurvivalContact
from tests.conduct.test_order_of_holds import Aside, waiting
from tests.factories import as_person, given, make_cast, make_protocol, make_record, make_subject
from tests.waiting import until
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import void_record
from trialsite.crf.entry import read_texts
from trialsite.crf.models import CrfData
from trialsite.crf.services import save_crf

ENDED = {"scope": "STUDY", "reason": "DEATH", "ended_on": "2026-03-06"}
TOLD = {"contact_on": "2026-03-06", "mode": "TELEPHONE CALL", "status": "DEAD"}


def saved(record: CrfRecord, form: type[CrfData], texts: dict[str, str], by: Any) -> None:
    with as_person(by):
        save_crf(record=record, entry=read_texts(form, texts), by=by, base_version=0)


@pytest.mark.parametrize("second", ["saved", "voided"])
def test_two_forms_that_change_the_participant_are_saved_at_once(committed, second):
    """Each shares the participant to enter its data, and then changes it: the one after the
    other, or the database ends one of them."""
    cast = given(make_cast)()
    make_protocol(cast.site)
    subject = make_subject(cast.site, number="001-001", status="enrolled")
    ending = make_record(subject, form_oid=Disposition.form_oid)
    contact = make_record(subject, form_oid=SurvivalContact.form_oid)
    if second == "voided":
        saved(ending, Disposition, ENDED, cast.nurse)

    def other() -> None:
        if second == "saved":
            saved(ending, Disposition, ENDED, cast.second_nurse)
            return
        with as_person(cast.second_nurse):
            found = CrfRecord.objects.get(pk=ending.pk)
            void_record(record=found, reason="another participant", by=cast.second_nurse)

    first, then = Aside(lambda: saved(contact, SurvivalContact, TOLD, cast.nurse)), Aside(other)
    with as_person(cast.monitor), transaction.atomic():
        list(Subject.objects.filter(pk=subject.pk).raw(
            "SELECT * FROM casebook_subject WHERE id = %s FOR SHARE", [subject.pk]))  # fmt: skip
        first.start()
        until(waiting(1), what="the contact waits for the participant")
        then.start()
        until(waiting(2), what="the ending waits, too")
    for each in (first, then):
        each.join()
        assert each.raised is None
