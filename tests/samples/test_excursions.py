"""A freezer, a rack or a box that was too warm, and what was inside."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from samples.models import CustodyEvent, CustodyKind, ExcursionLine, StorageExcursion
from samples.services.aliquots import end_aliquot, move_aliquots, thaw_aliquot
from samples.services.excursions import (
    end_storage_excursion,
    note_storage_excursion,
    void_storage_excursion,
)
from samples.services.specimen_ends import correct_time
from samples.services.storage import add_box, move_box
from tests.factories import as_person, given, sign_in
from tests.samples.bench import box_at, stored
from tests.samples.shipping import frozen, kinds_of
from tests.screening.consenting import wall
from trialsite.conduct.models import Deviation
from trialsite.core.exceptions import NotPermittedError, StaleError, TransitionError
from trialsite.crf.violations import ImpossibleError

pytestmark = pytest.mark.django_db


def warm(where: Any, by: Any, *, since: float = -0.1, until: float | None = None, **said: Any):
    """It was too warm from so many hours ago on."""
    with as_person(by):
        return note_storage_excursion(
            where=where,
            began_at=wall(where.site, hours=since),
            ended_at=None if until is None else wall(where.site, hours=until),
            celsius=said.pop("celsius", Decimal("-41.5")),
            what=said.pop("what", "Compressor failed"),
            by=by,
        )


@given
def listed(excursion: StorageExcursion) -> set[Any]:
    return set(ExcursionLine.objects.filter(excursion=excursion).values_list("aliquot", flat=True))


@pytest.mark.parametrize("which", ["freezer", "rack", "box"])
def test_what_is_inside_is_listed_and_each_aliquot_says_so(visit, technician, box, which):
    inside = frozen(visit, technician, box, 2)
    elsewhere = box_at(visit.site, technician, n=2)
    other = stored(visit, technician, elsewhere)
    where = {"freezer": box.rack.freezer, "rack": box.rack, "box": box}[which]
    excursion = warm(where, technician)
    assert listed(excursion) == {each.pk for each in inside}
    with as_person(technician):
        event = CustodyEvent.objects.get(aliquot=inside[0], kind="excursion")
        assert (event.celsius, event.reason) == (Decimal("-41.5"), "Compressor failed")
        assert event.happened_at == excursion.began_at
        (proposed,) = Deviation.objects.filter(kind="sample_storage_warm")
        assert "-41.5 °C" in proposed.description
        assert "2 aliquots" in proposed.description
    assert "excursion" not in kinds_of(other)


def test_what_came_before_and_went_before_is_told_from_custody(visit, technician, box):
    """In the box from 15 to 6 minutes ago; warm in three spans."""
    (tube,) = frozen(visit, technician, box, 1)
    elsewhere = box_at(visit.site, technician, n=2)
    with as_person(technician):
        move_aliquots(
            aliquots=[tube], box=elsewhere, by=technician, at=wall(visit.site, hours=-0.1)
        )
    assert not listed(warm(box, technician, since=-2, until=-1))
    assert listed(warm(box, technician, since=-0.2, until=-0.15)) == {tube.pk}
    assert not listed(warm(box, technician, since=-0.05))
    assert listed(warm(elsewhere, technician, since=-0.05)) == {tube.pk}
    # The night before is found out in the morning: it is told though it has gone on since.
    assert kinds_of(tube)[-2:] == ["excursion", "excursion"]


def test_a_box_is_counted_where_it_stood_then(visit, technician, box):
    (tube,) = frozen(visit, technician, box, 1)
    elsewhere = box_at(visit.site, technician, n=2)
    with as_person(technician):
        move_box(box=box, rack=elsewhere.rack, place=2, by=technician)
    assert listed(warm(box.rack.freezer, technician, since=-0.1)) == {tube.pk}


def test_what_has_ended_since_is_listed_and_its_custody_stays_closed(visit, technician, box):
    (tube,) = frozen(visit, technician, box, 1)
    with as_person(technician):
        end_aliquot(aliquot=tube, kind=CustodyKind.DISCARDED, reason="Broken", by=technician)
    excursion = warm(box, technician)
    with as_person(technician):
        (line,) = ExcursionLine.objects.filter(excursion=excursion)
        assert (line.aliquot_id, line.event) == (tube.pk, None)
    assert kinds_of(tube)[-1] == "discarded"


def test_an_end_told_later_lists_what_was_put_in_meanwhile(visit, technician, box):
    first = frozen(visit, technician, box, 1)
    excursion = warm(box, technician)
    late = stored(visit, technician, box)
    with as_person(technician):
        ended = end_storage_excursion(
            excursion=excursion,
            ended_at=wall(visit.site),
            celsius=Decimal("-30.0"),
            base_version=excursion.version,
            by=technician,
        )
        (proposed,) = Deviation.objects.filter(kind="sample_storage_warm")
        assert "-30.0 °C" in proposed.description
    assert listed(ended) == {first[0].pk, late.pk}
    with as_person(technician), pytest.raises(StaleError):
        end_storage_excursion(
            excursion=excursion,
            ended_at=wall(visit.site),
            celsius=Decimal("-30.0"),
            base_version=excursion.version,
            by=technician,
        )


def test_one_that_never_was_is_voided_and_its_proposal_says_so(visit, technician, box):
    frozen(visit, technician, box, 1)
    excursion = warm(box, technician)
    with as_person(technician):
        void_storage_excursion(
            excursion=excursion, reason="The sensor failed", base_version=1, by=technician
        )
        assert Deviation.objects.get(kind="sample_storage_warm").cause_ended_at is not None
        excursion.refresh_from_db()
        with pytest.raises(TransitionError, match="The sensor failed"):
            void_storage_excursion(
                excursion=excursion, reason="again", base_version=2, by=technician
            )


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"since": 1}, "began_at"),
        ({"since": -1, "until": -2}, "ended_at"),
        ({"since": -1, "until": 1}, "ended_at"),
        ({"what": " "}, "celsius"),
        ({"celsius": Decimal("-80.0")}, "celsius"),
        ({"celsius": Decimal("-85.5")}, "celsius"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(technician, box, said, field):
    with pytest.raises(ImpossibleError) as refused:
        warm(box, technician, **said)
    assert set(refused.value.errors) == {field}


def test_who_may_not_handle_samples_enters_none(cast, box):
    with pytest.raises(NotPermittedError):
        warm(box, cast.monitor)


def test_past_the_services_an_excursion_stays_what_it_is(technician, visit, box):
    (tube,) = frozen(visit, technician, box, 1)
    excursion = warm(box, technician)
    rows = StorageExcursion.objects.filter(pk=excursion.pk)
    for change in ({"what": "x"}, {"began_at": wall(visit.site, hours=-3)}, {"box": None}):
        with as_person(technician), pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
    with as_person(technician):
        wrong = CustodyEvent.objects.filter(aliquot=tube).exclude(kind="excursion").first()
        line = ExcursionLine(
            site=visit.site,
            subject_id=tube.subject_id,
            excursion=excursion,
            aliquot=tube,
            box=box,
            position=1,
            event=wrong,
            listed_at=excursion.entered_at,
        )
        with pytest.raises(DatabaseError, match="says nothing of it"), transaction.atomic():
            line.save(force_insert=True)


def test_times_are_put_right_in_spite_of_an_excursion_found_later(visit, technician, box):
    (tube,) = frozen(visit, technician, box, 1)
    with as_person(technician):
        thaw_aliquot(aliquot=tube, reason="Assay", by=technician, at=wall(visit.site, hours=-0.1))
    warm(box, technician, since=-0.2, until=-0.15)
    with as_person(technician):
        thawed = CustodyEvent.objects.select_related("specimen__site", "aliquot__site").get(
            aliquot=tube, kind="thawed"
        )
        at = wall(visit.site, hours=-0.05)
        correct_time(event=thawed, at=at, reason="Read wrongly", by=technician)


def test_the_pages_tell_of_it_from_the_freezer_to_the_aliquot(cast, visit, technician, box):
    (tube,) = frozen(visit, technician, box, 1)
    client = sign_in(technician)
    where = f"freezer:{box.rack.freezer_id}"
    page = client.get("/samples/excursions/new/", {"where": where}).content.decode()
    assert f'value="{where}" selected' in page
    typed = {
        "where": where,
        "began_at": wall(visit.site, hours=-0.1).isoformat(timespec="minutes"),
        "celsius": "-35.2",
        "what": "Door left open",
    }
    wrong = client.post("/samples/excursions/new/", typed | {"what": ""})
    assert wrong.status_code == 422
    assert "-35.2" in wrong.content.decode()
    answer = client.post("/samples/excursions/new/", typed, follow=True)
    shown = answer.content.decode()
    assert tube.code in shown
    assert "still too warm" in shown
    assert "still too warm" in client.get("/samples/freezers/").content.decode()
    assert "Door left open" in client.get("/samples/excursions/").content.decode()
    assert "-35.2" in client.get(f"/samples/one/{tube.code}/").content.decode()
    path = answer.redirect_chain[-1][0]
    end = wall(visit.site).isoformat(timespec="minutes")
    client.post(f"{path}end/", {"ended_at": end, "celsius": "-34", "version": 1})
    assert "cold again" in client.get(path).content.decode()
    client.post(f"{path}void/", {"reason": "Wrong freezer", "version": 2})
    assert "Wrong freezer" in client.get(path).content.decode()
    assert sign_in(cast.monitor).get(path).status_code == 200
    assert sign_in(cast.stranger).get(path).status_code == 404
    assert sign_in(cast.monitor).get(f"{path}end/").status_code == 403


def test_it_is_in_the_datasets(cast, visit, technician, box):
    frozen(visit, technician, box, 2)
    warm(box, technician)

    def rows(name: str) -> list[dict[str, str]]:
        text = b"".join(sign_in(cast.data_manager).get(f"/api/v1/datasets/{name}/"))
        return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))

    assert [(each["WARMMAX"], each["LOC"]) for each in rows("samples_excursions")] == [
        ("-41.5", "1"),
        ("-41.5", "2"),
    ]
    assert {(each["WARMN"], each["WARMMAX"]) for each in rows("bs")} == {("1", "-41.5")}
    assert sum(each["BETERM"] == "excursion" for each in rows("be")) == 2


def test_a_full_freezer_costs_no_more_queries(
    visit, technician, box, django_assert_max_num_queries
):
    frozen(visit, technician, box, 2)
    with as_person(technician):
        more = add_box(site=visit.site, by=technician, rack=box.rack)
    frozen(visit, technician, more, 10, kind="FAECES")
    with as_person(technician), django_assert_max_num_queries(60):
        excursion = note_storage_excursion(
            where=box.rack.freezer,
            began_at=wall(visit.site, hours=-0.1),
            celsius=Decimal(-40),
            what="Power cut",
            by=technician,
        )
    assert len(listed(excursion)) == 12
    connection.check_constraints()
