"""The run sheet: every act by a plain form, refusals beside their fields, nothing typed lost."""

from __future__ import annotations

import json
import re
import uuid

import pytest

from tests.factories import as_person, make_user, sign_in
from tests.screening.consenting import wall
from tests.visits.treating import ended, planned, prepared, read, running, treatable
from trialsite.access.capabilities import Role
from trialsite.crf.models import Draft
from trialsite.crf.services import save_draft
from visits.models import (
    ChecklistAnswer,
    Complication,
    IntegrityTest,
    Interruption,
    SessionReading,
    TreatmentSession,
)
from visits.runsheet.due import id_of
from visits.runsheet.grid import part_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def subject(cast):
    return treatable(cast)


@pytest.fixture
def nurse(cast):
    return sign_in(cast.nurse)


def url(session, rest=""):
    return f"/sessions/{session.pk}/{rest}"


def now(session):
    with as_person(session.operator or session.subject_user):
        return TreatmentSession.objects.get(pk=session.pk)


def fresh(cast, session):
    with as_person(cast.nurse):
        return TreatmentSession.objects.select_related("record").get(pk=session.pk)


def version(cast, session):
    return str(fresh(cast, session).record.version)


def test_the_pages_open(cast, subject, nurse):
    session = running(cast, subject)
    for path in (
        f"/subjects/{subject.pk}/sessions/",
        f"/subjects/{subject.pk}/sessions/plan/",
        url(session),
        url(session, "live/"),
        url(session, "paper/"),
        url(session, "paper/?blank=1"),
    ):
        answer = nurse.get(path)
        assert answer.status_code == 200, path
