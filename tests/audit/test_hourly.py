"""Once an hour the trail is held against the rows."""

from __future__ import annotations

import psycopg
import pytest

from tests import databases
from tests.factories import as_person, make_cast, make_subject
from trialsite.audit.models import Event
from trialsite.casebook.tasks import verify_trail


@pytest.mark.requirement("AT3")
def test_an_intact_study_is_accounted_for_and_leaves_no_word(cast):
    make_subject(cast.site)
    assert verify_trail() == 0
    with as_person(cast.auditor):
        assert not Event.objects.filter(act="trail_does_not_account").exists()


@pytest.mark.requirement("AT3")
def test_a_change_made_with_the_triggers_off_is_found_within_the_hour(committed):
    cast = make_cast()
    subject = make_subject(cast.site)
    with psycopg.connect(databases.owner_url(committed)) as owner:
        for name, value in (
            ("trialsite.system", "attack"),
            ("trialsite.sites", f"{{{cast.site.pk}}}"),
        ):
            owner.execute("SELECT set_config(%s, %s, true)", [name, value])
        owner.execute("ALTER TABLE casebook_subject DISABLE TRIGGER audit")
        owner.execute("UPDATE casebook_subject SET day_zero = '2026-01-01'")
        owner.execute("ALTER TABLE casebook_subject ENABLE ALWAYS TRIGGER audit")
    assert verify_trail() == 1
    with as_person(cast.auditor):
        event = Event.objects.get(act="trail_does_not_account")
        assert str(subject.pk) in str(event.new)
