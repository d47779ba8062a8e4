"""Taking an import: nobody waits for the comparing, and what waits for the worker comes back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.conftest import ApiClient
from tests.factories import as_person, given, make_subject
from tests.labs.importing import AT, HEAD, LONG, Desk, make_person, rows
from trialsite.access.context import system_context
from trialsite.casebook import vault
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.context import Channel, acting
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError
from trialsite.labs.importing.models import ImportState, LabImport
from trialsite.labs.importing.reporting import basis_of, report_of
from trialsite.labs.models import LabResult
from trialsite.labs.services.imports import choose, plan_now, prepare_import
from trialsite.labs.services.mappings import keep_mapping
from trialsite.labs.services.panels import open_panel
from trialsite.labs.services.taking import MOST_ATTEMPTS, accept_import, begin, take_back, take_one
from trialsite.labs.tasks import take_imports


@pytest.fixture(autouse=True)
def _looking(cast) -> Iterator[None]:
    with acting(system_context("tests", Channel.COMMAND)):
        yield


@pytest.fixture
def mapped(cast, laboratory):
    with as_person(cast.data_manager):
        keep_mapping(laboratory=laboratory, text=LONG, by=cast.data_manager)
    return laboratory


def prepare(cast, laboratory, text, **options: Any) -> LabImport:
    with as_person(cast.nurse):
        return prepare_import(
            laboratory=laboratory,
            content=(HEAD + text).encode(),
            filename="a.csv",
            by=cast.nurse,
            **options,
        )


@pytest.fixture
def handed(cast, mapped, subject, monkeypatch) -> LabImport:
    """An import that the nurse took, and that waits for the worker."""
    monkeypatch.setattr("trialsite.labs.services.taking.AT_ONCE", 1)
    found = prepare(cast, mapped, rows(subject, "K,4.1,mmol/L", "PT,20,s"), most=None)
    with as_person(cast.nurse):
        return accept_import(found=found, digest=found.digest, at_once=False, by=cast.nurse)


# Comparing and choosing.


def test_people_are_held_after_everything_is_read_and_compared(cast, mapped, draw, save):
    save(draw, {"K": "4.0", "K.unit": "mmol/L"})
    found = prepare(cast, mapped, rows(draw.subject, "PT,20,s"))
    with as_person(cast.nurse), CaptureQueriesContext(connection) as queries:
        accept_import(found=found, digest=found.digest, by=cast.nurse)
    said = [each["sql"] for each in queries]
    compared = [at for at, sql in enumerate(said) if is_reading(sql)]
    held = [at for at, sql in enumerate(said) if is_holding(sql)]
    assert compared
    assert held
    assert max(compared) < min(held)


def is_reading(sql: str) -> bool:
    """What a comparison asks about all people of a file at once: the draws that stand."""
    return (
        sql.startswith("SELECT")
        and '"labs_labpanel"."collected_at" IS NOT NULL' in sql
        and ('"labs_labpanel"."laboratory_id" IS NULL' in sql)
    )


def is_holding(sql: str) -> bool:
    return "FOR NO KEY UPDATE" in sql and 'FROM "casebook_subject"' in sql


def test_choosing_reads_the_file_no_more_unless_the_casebook_has_changed(cast, mapped, draw, save):
    subject = draw.subject
    text = rows(subject, "K,4.1,mmol/L", "CREAT,1.1,umol/L") + f"nobody,{AT},K,4,mmol/L\n"
    found = prepare(cast, mapped, text)
    slip = next(each for each in found.report["items"] if each["outcome"] == "slip")
    said = vault.fetch(found.stored_as)
    assert said is not None
    vault.path_of(found.stored_as).unlink()
    with as_person(cast.nurse):
        found = choose(found=found, choices={slip["key"]: "as:mg/dL"}, by=cast.nurse)
        assert (found.report["open"], found.report["writes"]) == (1, 2)
        found = choose(found=found, choices={}, leave_all=["unknown_person"], by=cast.nurse)
        assert (found.report["open"], found.report["left"]) == (0, 1)
        found = choose(found=found, choices={slip["key"]: ""}, by=cast.nurse)
        assert (found.report["open"], found.report["writes"]) == (1, 1)
    vault.store(said)
    save(draw, {"K": "4.0", "K.unit": "mmol/L"})
    vault.path_of(found.stored_as).unlink()
    with as_person(cast.nurse), pytest.raises(DomainError, match="missing or was altered"):
        choose(found=found, choices={slip["key"]: "as:mg/dL"}, by=cast.nurse)
    vault.store(said)
    with as_person(cast.nurse):
        found = choose(found=found, choices={slip["key"]: "as:mg/dL"}, by=cast.nurse)
        assert found.report["counts"] == {"changed": 1, "slip": 1, "unknown_person": 1}
        assert found.report["changes"] == 1
        with pytest.raises(DomainError):
            accept_import(found=found, digest=found.digest, by=cast.nurse)
        accept_import(found=found, digest=found.digest, reason="Corrected", by=cast.nurse)
    assert LabResult.objects.get(analyte="K", voided_at=None).text == "4.1"


CHANGES = {
    "a result": lambda made: made.save(made.draw, {"K": "4.0", "K.unit": "mmol/L"}),
    "the person's sex": lambda made: make_person(made.subject, sex="F"),
    "a lock": lambda made: locked(made.subject),
    "a further draw": lambda made: made.further(),
}


@given
def locked(subject: Subject) -> None:
    Subject.objects.filter(pk=subject.pk).update(lock_state="locked")


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_what_was_compared_is_seen(cast, mapped, draw, save, name):
    class Made:
        def __init__(self) -> None:
            self.draw, self.subject, self.save = draw, draw.subject, save

        def further(self) -> None:
            with as_person(cast.nurse):
                open_panel(subject=self.subject, by=cast.nurse)

    found = prepare(cast, mapped, rows(draw.subject, "K,4.1,mmol/L"))
    before = found.basis["stamp"]
    desk = Desk(cast.nurse).open(f"/labs/imports/{found.pk}/")
    CHANGES[name](Made())
    with as_person(cast.nurse):
        found = choose(found=found, choices={}, by=cast.nurse)
    assert found.basis["stamp"] != before
    assert desk.open(desk.address).status == 200


def test_the_kept_comparison_says_what_a_new_one_would(cast, mapped, draw, save):
    """Every choice there is, one after the other: kept and made anew agree."""
    save(draw, {"K": "4.0", "K.unit": "mmol/L"})
    text = rows(draw.subject, "K,4.4,mmol/L", "CREAT,1.1,umol/L", "PT,20,s", "INR,1.5,", "INR,1.7,")
    found = prepare(cast, mapped, text + rows(draw.subject, "BILI,x,umol/L"))
    tried = 0
    for item in found.report["items"]:
        for option in [*(each["value"] for each in item["options"]), ""]:
            with as_person(cast.nurse):
                found = choose(found=found, choices={item["key"]: option}, by=cast.nurse)
                plan = plan_now(found)
                assert report_of(basis_of(plan), plan.choices) == found.report
                assert plan.digest == found.digest
                unsettled, written = list(plan.unsettled), plan.by_draw().values()
            assert found.report["open"] == len(unsettled)
            assert found.report["writes"] == sum(map(len, written))
            tried += 1
    assert tried > 10


@pytest.mark.parametrize("key", ["2:99", "nonsense"])
def test_a_choice_about_no_line_is_refused(cast, mapped, subject, key):
    found = prepare(cast, mapped, rows(subject, "CREAT,1.1,umol/L"))
    with as_person(cast.nurse), pytest.raises(DomainError, match="cannot be taken so"):
        choose(found=found, choices={key: "leave"}, by=cast.nurse)


# Who somebody is.

WHO = LONG.replace("  unit: unit", "  unit: unit\n  sex: sex\n  born: born")


def test_a_mapping_without_sex_and_birth_date_is_warned_of_where_it_is_stated_and_used(
    cast, mapped, subject
):
    warning = "No column of sex or birth date is named"
    page = f"/labs/laboratories/{mapped.pk}/mapping/"
    assert warning in Desk(cast.data_manager).open(page).said
    desk = Desk(cast.nurse).upload(mapped, (HEAD + rows(subject, "K,4.1,mmol/L")).encode())
    assert "A result under a wrong number is not noticed." in desk.said
    with as_person(cast.data_manager):
        keep_mapping(laboratory=mapped, text=WHO, by=cast.data_manager)
    assert warning not in Desk(cast.data_manager).open(page).said


def test_how_many_people_could_not_be_compared_is_said(cast, laboratory, subject):
    with as_person(cast.data_manager):
        keep_mapping(laboratory=laboratory, text=WHO, by=cast.data_manager)
    other, third = make_subject(cast.site), make_subject(cast.site)
    make_person(subject, sex="M", born="1980-05-06")
    make_person(other, sex="F")
    make_person(third, sex="M", born="1980-05-06")
    said = [(subject, "M", ""), (other, "", "1980"), (third, "F", "")]
    text = "who,when,test,result,unit,sex,born\n" + "".join(
        f"{each},{AT},K,4.1,mmol/L,{sex},{born}\n" for each, sex, born in said
    )
    desk = Desk(cast.nurse).upload(laboratory, text.encode())
    assert desk.counts == {"New results": 2, "Perhaps another person": 1}
    assert "Of 1 person neither sex nor birth date could be compared" in desk.said
    api = ApiClient(cast.nurse).get(f"lab-imports/{desk.found.pk}/").json()
    assert api["unchecked_people"] == 1


# What waits for the worker.


@pytest.mark.requirement("IM1")
def test_what_waits_for_the_worker_can_be_taken_back_and_then_taken_again(cast, handed):
    address = f"/labs/imports/{handed.pk}/"
    desk = Desk(cast.nurse).open(address)
    assert "Take it back" in desk.said
    assert "Take it back" not in Desk(cast.data_manager).open(address).said
    with as_person(cast.data_manager), pytest.raises(NotPermittedError):
        take_back(found=handed, by=cast.data_manager)
    desk.post(f"{address}return/")
    assert desk.found.state == ImportState.PREPARED
    assert "Take 2 results" in desk.said
    assert take_imports() == 0
    with as_person(cast.nurse), pytest.raises(TransitionError):
        take_back(found=handed, by=cast.nurse)
    with as_person(cast.nurse):
        accept_import(found=handed, digest=handed.digest, by=cast.nurse)
    assert LabResult.objects.count() == 2


def test_what_waits_for_the_worker_can_be_put_away(cast, handed):
    desk = Desk(cast.nurse).open(f"/labs/imports/{handed.pk}/")
    desk.post(f"/labs/imports/{handed.pk}/discard/", reason="Wrong month")
    assert desk.found.state == ImportState.DISCARDED
    assert take_imports() == 0
    assert not LabResult.objects.exists()


def test_the_api_gives_an_import_back_too(cast, handed):
    nurse = ApiClient(cast.nurse)
    answer = nurse.post(f"lab-imports/{handed.pk}/return/", {})
    assert (answer.status_code, answer.json()["state"]) == (200, "prepared")
    assert nurse.post(f"lab-imports/{handed.pk}/return/", {}).status_code == 409


def test_an_import_that_no_worker_finishes_goes_back_to_its_site(cast, handed):
    for _n in range(MOST_ATTEMPTS):
        assert begin(handed.pk)
    assert not begin(handed.pk)
    handed.refresh_from_db()
    assert handed.state == ImportState.PREPARED
    assert "could not be taken" in handed.problem
    with as_person(cast.nurse):
        again = accept_import(found=handed, digest=handed.digest, at_once=False, by=cast.nurse)
    assert (again.attempts, again.problem) == (0, "")
    assert take_imports() == 1
    assert not begin(uuid.uuid4())


def test_a_worker_that_finds_the_casebook_changed_says_so(cast, handed, draw, save):
    save(draw, {"K": "4.0", "K.unit": "mmol/L", "collected_at": AT.replace(" ", "T")})
    assert not take_one(handed.pk)
    handed.refresh_from_db()
    assert "has changed since" in handed.problem
    assert CrfRecord.objects.filter(subject=draw.subject).count() == 1
