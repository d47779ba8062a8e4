"""The worker and a person at the same import."""

from __future__ import annotations

import threading

import pytest
from django.db import connections, transaction

from tests.factories import as_person, make_cast, make_protocol, make_subject
from tests.labs.conftest import make_laboratory
from tests.labs.importing import HEAD, LONG, rows
from trialsite.core.exceptions import TransitionError
from trialsite.labs.importing.models import ImportState, LabImport
from trialsite.labs.services.imports import discard_import, prepare_import
from trialsite.labs.services.mappings import keep_mapping
from trialsite.labs.services.taking import accept_import, take_back, take_one


def test_nobody_waits_for_a_worker_that_is_busy_with_the_import(committed, monkeypatch):
    cast = make_cast()
    make_protocol(cast.site)
    laboratory, subject = make_laboratory(cast.site), make_subject(cast.site)
    with as_person(cast.data_manager):
        keep_mapping(laboratory=laboratory, text=LONG, by=cast.data_manager)
    monkeypatch.setattr("trialsite.labs.services.taking.AT_ONCE", 1)
    with as_person(cast.nurse):
        found = prepare_import(
            laboratory=laboratory,
            content=(HEAD + rows(subject, "K,4.1,mmol/L", "PT,20,s")).encode(),
            filename="large.csv",
            most=None,
            by=cast.nurse,
        )
        accept_import(found=found, digest=found.digest, at_once=False, by=cast.nurse)
    refused: list[str] = []

    def meddle() -> None:
        try:
            for act in (
                lambda: take_back(found=found, by=cast.nurse),
                lambda: discard_import(found=found, reason="No", by=cast.nurse),
            ):
                with as_person(cast.nurse), pytest.raises(TransitionError) as error:
                    act()
                refused.append(str(error.value))
        finally:
            connections.close_all()

    other = threading.Thread(target=meddle)
    # The worker's transaction: its row stays locked until all is written.
    with as_person(cast.nurse), transaction.atomic():
        assert take_one(found.pk)
        other.start()
        other.join(timeout=180)
        assert not other.is_alive()
    assert refused == ["This import is being taken into the casebook right now."] * 2
    with as_person(cast.nurse):
        assert LabImport.objects.get(pk=found.pk).state == ImportState.ACCEPTED
