"""A kept evaluation can be made again from what was kept, to the letter."""

from __future__ import annotations

import dataclasses
import json
import zoneinfo
from decimal import Decimal

import pytest
from hypothesis import given, settings

from screening.eligibility.again import evaluation_of, frozen, frozen_hash
from screening.eligibility.engine import evaluate
from screening.eligibility.frozen import facts_hash, frozen_facts, in_order, thawed_facts
from tests.screening.eligibility import (
    DAY_ZERO,
    FIRST,
    SECOND,
    allergy,
    confirmed,
    eligible_person,
    facts,
    item,
    lab,
    protocol_of,
)
from tests.screening.test_eligibility_properties import PEOPLE

FULL = eligible_person(
    lab("BILI", "<5", hours=60, purified="4.50", routine=True),
    lab("CRP", "", missing="clotted", hours=1),
    allergies=(allergy("latex", "severe"), allergy("heparin", "mild")),
    items={
        "I.HE.HEGRADE": (item("I"), item("0", hours=30)),
        "I.VS.MAP": (item(Decimal("64.50")),),
        "I.CM.PRESSOR": (item(True),),
    },
)


@pytest.mark.requirement("DI6")
@pytest.mark.parametrize("path", [FIRST, SECOND], ids=["first study", "second study"])
@pytest.mark.parametrize("signed", [True, False], ids=["confirmed", "unconfirmed"])
@pytest.mark.parametrize("known", [FULL, facts()], ids=["full", "empty"])
def test_an_evaluation_made_again_from_what_was_kept_is_the_same(path, signed, known):
    protocol = (confirmed if signed else protocol_of)(path)
    kept = evaluate(protocol, known)
    again = evaluation_of(frozen_facts(known), path.read_text("utf-8"), kept.confirmed)
    assert frozen(again) == frozen(kept)
    assert frozen_hash(again) == frozen_hash(kept)
    assert again == kept


@settings(deadline=None, max_examples=30)
@given(labs=PEOPLE)
def test_facts_survive_being_kept(labs):
    known = dataclasses.replace(FULL, labs=tuple(labs))
    text = frozen_facts(known)
    thawed = thawed_facts(text)
    assert frozen_facts(thawed) == text
    assert thawed == in_order(known)


def test_the_kept_text_is_canonical():
    text = frozen(evaluate(confirmed(), FULL))
    read = json.loads(text)
    assert text == json.dumps(read, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert "0E" not in text
    assert not any(isinstance(one, float) for one in _leaves(read))


def _leaves(value):
    if isinstance(value, dict):
        for member in value.values():
            yield from _leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member)
    else:
        yield value


def test_the_same_facts_in_another_order_and_zone_object_have_the_same_hash():
    reordered = dataclasses.replace(
        FULL,
        labs=FULL.labs[::-1],
        day_zero=DAY_ZERO.astimezone(zoneinfo.ZoneInfo("Asia/Shanghai")),
    )
    assert facts_hash(reordered) == facts_hash(FULL)


@pytest.mark.parametrize(
    "change",
    [
        {"sex": "M"},
        {"dialysis": None},
        {"allergies": None},
        {"labs": FULL.labs[1:]},
        {"birth_date": "1981-05"},
    ],
    ids=str,
)
def test_any_other_fact_is_another_hash(change):
    assert facts_hash(dataclasses.replace(FULL, **change)) != facts_hash(FULL)


def test_a_confirmation_changes_the_evaluation_only_where_verdicts_rest_on_it():
    protocol = protocol_of()
    elsewhere = [
        one.path for one in protocol.assumptions() if not one.path.startswith(("criteria", "labs"))
    ]
    assert elsewhere
    plain = evaluate(protocol, FULL)
    assert evaluate(protocol.with_confirmed(elsewhere), FULL) == plain
    rule = protocol.with_confirmed(["criteria.EX04.rule.version"])
    assert evaluate(rule, FULL).confirmed == ("criteria.EX04.rule.version",)
    assert frozen_hash(evaluate(rule, FULL)) != frozen_hash(plain)
