"""SCALE=: a study that holds its people several times is the demonstration, several times.

Each copy is compared with its original, which was entered through the services people use:
every dataset cell by cell, the trail event by event, the pages word by word.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections, transaction
from django.db.models import Min
from django.test import override_settings

from outcomes.models import SaeReport, SaeReportPdf
from outcomes.services.sae_reports import signature_stands as report_stands
from screening.models import EligibilityEvaluation, Enrolment, ScreeningEntry
from screening.selectors.eligibility import reproduce, signature_stands
from screening.selectors.funnel import Box, funnel
from screening.services.identity import masked_identities
from tests import databases
from tests.demo.comparing import Copies, by_copy, is_of_a_copy, rows_of, told_again
from tests.demo.making import demonstration
from tests.factories import sign_in
from trialsite.access.context import context_of, system_context
from trialsite.access.models import Site, User
from trialsite.audit.folding import audited_tables, unaccounted
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import next_number
from trialsite.core.context import Channel, acting
from trialsite.core.guards import guarded_models
from trialsite.core.ids import is_valid
from trialsite.core.protection import drift
from trialsite.crf.hashing import record_hash
from trialsite.demo.bulk.covered import BESIDE, FOLLOWING, MATERIAL, SHARED, is_copied, unstated
from trialsite.demo.bulk.retold import copy_of, key_of
from trialsite.exports.registry import datasets
from trialsite.review.models import Signature
from trialsite.review.signatures import SEALED, is_sealed
from visits.models import LotDecision
from visits.services.products.lots import content_of_release

TIMES = 3
EVERY_COPY = list(range(TIMES))
#: Facts of the study as a whole, or of its sites: as they were, or counted over everybody.
OF_NOBODY = {"compliance", "consent_approvals", "labranges", "safety_snapshots",
             "confirmed_assumptions", "study_signatures", "reminders"}  # fmt: skip
#: Counted over everybody.
COUNTED = {"compliance"}
#: How many places there are, and what is over it.
OF_THE_LOAD = {"enrolment": frozenset({"TARGET"})}
#: What says when it was written, and in which order.
APART = {"audit_events": frozenset({"EVENT", "AT"})}


@dataclass(frozen=True, slots=True)
class Once:
    """The study as it is told once, by a load of its own."""

    files: dict[str, list[dict[str, str]]]
    boxes: dict[Box, int]
    days: list[tuple[str, dt.date]]


@contextmanager
def told(purpose: str, *, scale: int) -> Iterator[None]:
    with (
        demonstration(databases.of_this_process(purpose), scale=scale) as name,
        databases.using(name),
        override_settings(DEMO=True, ENVIRONMENT="DEMO"),
        acting(system_context("test", Channel.COMMAND)),
    ):
        yield
    for each in connections.all():
        each.close()


@pytest.fixture(scope="module")
def both(django_db_blocker) -> Iterator[Once]:
    """Two loads that were made on the same day at every site; the second is in use."""
    with django_db_blocker.unblock():
        while True:
            with told("once", scale=1):
                once = Once({name: _file(name) for name in datasets()}, _boxes(), _days())
            with told("bulk", scale=TIMES):
                if _days() == once.days:
                    yield once
                    return


@pytest.fixture(scope="module")
def once(both) -> Once:
    return both


@pytest.fixture(scope="module")
def scaled(both) -> None:
    """The study that holds its people several times."""


def _days() -> list[tuple[str, dt.date]]:
    """From when each site counts: a load after midnight tells of the next day."""
    first = ScreeningEntry.objects.order_by("site__code").values_list("site__code")
    return list(first.annotate(day=Min("first_contact_on")))


def _file(name: str) -> list[dict[str, str]]:
    person = User.objects.get(email="dm@demo.example")
    with acting(context_of(person, Channel.COMMAND)):
        rows = list(rows_of(datasets()[name], person))
    for row in rows:
        if row.get("ROW", "").isdigit():  # a key that PostgreSQL counts
            row["ROW"] = ""
        if row.get("TABLE") == SaeReportPdf._meta.db_table:  # made anew, under a key of its own
            row |= {"ROW": "", "NEW": row["NEW"].replace(row["ROW"], "")}
    return rows


def _boxes() -> dict[Box, int]:
    total = funnel(Site.objects.values_list("pk", flat=True)).total
    return {box: total.of(box) for box in Box}


@pytest.fixture(scope="module")
def copies(scaled) -> Copies:
    return Copies()


def test_every_table_is_copied_or_says_why_not():
    assert unstated() == []
    labels = {model._meta.label for model, _guard in guarded_models()}
    lists = Counter([*MATERIAL, *SHARED, *BESIDE, *FOLLOWING])
    assert set(lists) <= labels
    assert max(lists.values()) == 1


def test_a_participants_table_is_copied_without_a_word():
    """What of participants is not copied is nobody's data yet, or comes by another road."""
    left = {
        model._meta.label: guard
        for model, guard in guarded_models()
        if guard.subject and not is_copied(model, guard) and model._meta.label in SHARED
    }
    assert all(guard.unaudited for guard in left.values()), left
    assert {"crf.Draft", "screening.EligibilityDraft"} == set(left)


def test_the_study_holds_its_people_three_times(scaled, once):
    assert once.boxes[Box.CONSIDERED] == 40
    assert _boxes() == {box: TIMES * count for box, count in once.boxes.items()}
    assert Subject.objects.filter(number__isnull=False).count() == 10 * TIMES
    by_whom = Counter(copy_of(str(key)) for key in Subject.objects.values_list("pk", flat=True))
    assert by_whom == dict.fromkeys(EVERY_COPY, 22)


def test_counts_over_everybody_are_three_times_the_original(scaled, once):
    counted = ("DUE", "INWINDOW", "OUTWINDOW", "MISSED", "OVERDUE", "NOTYETDUE", "NOTREQUIRED")
    wanted = [
        row | {name: str(TIMES * int(row[name])) for name in counted}
        for row in once.files["compliance"]
    ]
    assert len(wanted) > 20
    assert _file("compliance") == wanted


@pytest.mark.parametrize("name", sorted(datasets()))
def test_each_copy_is_its_original_in_every_cell_of_a_dataset(scaled, copies, name):
    found = by_copy(_file(name), copies, APART.get(name, frozenset()))
    for copy in EVERY_COPY[1:]:
        assert found[copy] == found[0]
    assert not found[-1] or name in OF_NOBODY
    if name == "audit_events":
        assert sum(found[0].values()) > 6000


@pytest.mark.parametrize("name", sorted(set(datasets()) - COUNTED))
def test_the_same_seed_tells_the_same_story(scaled, copies, once, name):
    """Two loads of their own, apart from keys, the time of day, and how many places there are."""
    apart = APART.get(name, frozenset()) | OF_THE_LOAD.get(name, frozenset())
    first, second = (
        Counter(told_again({key: text for key, text in row.items() if key not in apart})
                for row in rows)
        for rows in (
            once.files[name], [row for row in _file(name) if not is_of_a_copy(row, copies)]
        )
    )  # fmt: skip
    assert first == second


def test_every_signature_under_a_copy_stands_for_what_the_copy_says(scaled):
    evaluations = EligibilityEvaluation.objects.select_related("protocol_version")
    signatures = {each.target: each for each in Signature.objects.unvoided()}
    signed = 0
    for each in evaluations.prefetch_related("answers"):
        assert signature_stands(each, signatures[each.pk])
        assert str(each.pk)[:24] not in _keys_of_others(each.facts, str(each.pk))
        signed += 1
    assert signed == 20 * TIMES
    for decision in LotDecision.objects.select_related("lot", "signature"):
        if decision.signature:
            content = content_of_release(decision.lot, decision)
            sealed = (getattr(decision.signature, name) for name in SEALED)
            assert is_sealed(content, *sealed)
    reports = SaeReport.objects.select_related("signature")
    assert [report_stands(each) for each in reports] == [True] * TIMES


def _keys_of_others(text: str, key: str) -> str:
    """The keys in a text that end otherwise than this one, where it is a copy's."""
    ending = key[24:] if copy_of(key) else ""
    found = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", text)
    return " ".join(each for each in found if ending and not each.endswith(ending))


def test_every_evaluation_is_made_again_from_what_was_frozen_of_the_copy(scaled):
    evaluations = EligibilityEvaluation.objects.select_related("protocol_version")
    for each in evaluations.prefetch_related("answers"):
        again = reproduce(each)
        assert str(again.outcome.value) == each.decision
    assert EligibilityEvaluation.objects.count() == 20 * TIMES


def test_every_record_of_a_copy_has_the_hash_of_what_it_says(scaled):
    """As its original has; some companion records are bound to nothing, and keep an empty hash."""
    last = TIMES - 1
    records = CrfRecord.objects.exclude(content_hash="").in_bulk()
    bound = 0
    for key, record in sorted(records.items()):
        if copy_of(str(key)) or record.content_hash != record_hash(record):
            continue
        bound += 1
        of_copy = records[uuid.UUID(key_of(key, last))]
        assert of_copy.content_hash == record_hash(of_copy), f"{record.form_oid} {key}"
    assert bound > 500


def test_the_trail_accounts_for_every_row_of_every_copy(scaled):
    assert [found for table in audited_tables() for found in unaccounted(table)] == []


def test_whoever_did_it_did_it_at_the_same_study_time(scaled):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), max(abs(extract(epoch FROM c.trial_at - o.trial_at))) "
            "FROM audit_event o JOIN audit_event c ON c.operation = 'I' AND o.operation = 'I' "
            "AND c.table_name = o.table_name AND c.row_id = left(o.row_id, 24) || %s",
            [key_of("x" * 36, TIMES - 1)[24:]],
        )
        events, apart = cursor.fetchone()
    assert events > 4500
    assert apart < 120


def test_nothing_of_the_guards_was_put_aside(scaled):
    assert drift() == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trial_clock")
        assert cursor.fetchone() == (0,)


def test_numbers_go_on_where_the_last_copy_ended(scaled):
    for site in Site.objects.order_by("code"):
        entries = ScreeningEntry.objects.filter(site=site)
        taken = entries.values_list("number", flat=True)
        assert len(set(taken)) == entries.count()
        assert all(is_valid(number) for number in taken)
        with transaction.atomic():
            assert next_number(site, "screening") == entries.count() + 1
            transaction.set_rollback(True)
        enrolled = Enrolment.objects.filter(site=site).count()
        numbers = sorted(Subject.objects.filter(site=site, number__isnull=False).values_list(
            "number", flat=True))  # fmt: skip
        assert numbers == [f"{site.code}-{count:03d}" for count in range(1, enrolled + 1)]


def test_everybody_of_a_copy_is_somebody_else_in_the_vault(scaled):
    nurse = User.objects.get(email="nurse@demo.example")
    mine = ScreeningEntry.objects.filter(site__code="001").values_list("pk", flat=True)
    with acting(context_of(nurse, Channel.COMMAND)):
        masked = masked_identities(mine, by=nurse)
    assert set(masked) == set(mine)
    assert all(each.values for each in masked.values())


def test_each_copys_paper_is_of_its_own_report(scaled):
    papers = SaeReportPdf.objects.select_related("report")
    assert papers.count() == 2 * TIMES
    assert len({each.sha256 for each in papers}) == 2 * TIMES


def test_the_pages_of_a_copy_say_what_those_of_its_original_say(scaled, copies):
    client = sign_in(User.objects.get(email="pi@demo.example"))
    for subject in Subject.objects.filter(number__isnull=False):
        if copy_of(str(subject.pk)):
            continue
        told = {
            _page(client, copies, f"/subjects/{key_of(subject.pk, copy)}/") if copy else
            _page(client, copies, f"/subjects/{subject.pk}/")
            for copy in EVERY_COPY
        }  # fmt: skip
        assert len(told) == 1, subject.number


def _page(client, copies: Copies, path: str) -> str:
    """A page's text without what is drawn anew for each answer."""
    answer = client.get(path)
    assert answer.status_code == 200
    content = re.sub(r'(nonce|value)="[0-9A-Za-z+/=]{20,}"', "", answer.content.decode())
    content = re.sub(r"(?s)<footer.*?</footer>", "", content)  # says when it was drawn
    text, _keys, _whose = copies.told_alike(content)
    return text


def test_told_a_second_time_it_must_be_the_same_number_of_times(scaled):
    out = io.StringIO()
    call_command("load_demo", "--scale", str(TIMES), stdout=out)
    assert "is there" in out.getvalue()
    with pytest.raises(CommandError, match="there 3 times, not 4 times"):
        call_command("load_demo", "--scale", "4", stdout=out)
    with pytest.raises(CommandError, match="from once to"):
        call_command("load_demo", "--scale", "0", stdout=out)
