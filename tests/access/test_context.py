"""Protected data are reached on somebody's behalf or not at all."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection

from trialsite.access.context import context_of
from trialsite.casebook.models import Subject
from trialsite.core.context import Channel, acting
from trialsite.core.protection import drift


def test_a_query_without_a_context_raises(db):
    with pytest.raises(DatabaseError, match="without a context"):
        list(Subject.objects.all())


def test_the_context_ends_with_its_block(cast):
    with acting(context_of(cast.nurse, Channel.UI)):
        assert not Subject.objects.exists()
    with pytest.raises(DatabaseError, match="without a context"):
        list(Subject.objects.all())


@pytest.mark.requirement("AT3")
def test_a_migrated_database_has_no_drift(db):
    assert drift() == []


@pytest.mark.requirement("AT2")
def test_every_test_connects_as_the_application(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolbypassrls, rolsuper, rolcreatedb, (SELECT count(*) "
            "FROM pg_class WHERE relowner = r.oid) FROM pg_roles r WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("trialsite_app", False, False, False, 0)
