"""The two rules about deaths, from the nurse's page of the death to the hold (decisions C7)."""

from __future__ import annotations

import pytest

from tests.factories import as_person, given, make_protocol, make_subject, sign_in
from tests.outcomes.conftest import DEATH, treated
from tests.outcomes.test_safety_rules import holds, proposals, refused, switch
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import void_record
from trialsite.conduct.models import RuleKind, Scope
from trialsite.conduct.selectors import treatment_refusals

pytestmark = pytest.mark.requirement("PR1")

#: The rule, and a death that it speaks of: six hours after the end of a session, or related.
RULES = [
    ("death_after_session", {"died_on": "2026-03-05", "died_time": "22:00"}),
    ("death_related", {"died_on": "2026-03-20", "related_circuit": "PROBABLE"}),
]
OTHER = {"died_on": "2026-03-20"}


@pytest.fixture
def version(cast):
    return make_protocol(cast.site, cast.other_site)


@pytest.fixture
def subject(cast, version) -> Subject:
    made: Subject = make_subject(cast.site, number="001-001", status="enrolled")
    treated(made, cast.nurse)
    return made


def entered(cast, subject: Subject, texts: dict[str, str], reason: str = "") -> CrfRecord:
    """The form of the death, opened and completed by the nurse on its page."""
    client = sign_in(cast.nurse)
    place = client.post(f"/subjects/{subject.pk}/death/").headers["Location"]
    record: CrfRecord = given(CrfRecord.objects.get)(subject=subject, form_oid="F.DTH",
                                                     voided_at=None)  # fmt: skip
    answer = client.post(
        place,
        DEATH
        | texts
        | {"version": str(record.version), "action": "complete", "reason_text": reason},
    )
    assert answer.status_code == 302, answer.content.decode()
    return record


def may_not_treat(cast, site) -> list[str]:
    with as_person(cast.investigator):
        return treatment_refusals(site_id=site.pk)


@pytest.mark.parametrize(("rule", "texts"), RULES)
def test_shipped_off_the_rule_proposes_and_holds_nothing(cast, version, subject, rule, texts):
    entered(cast, subject, texts)
    assert proposals() == [(rule, "open", False, True)]
    assert holds() == []
    assert refused(cast, version, cast.site) == []
    assert may_not_treat(cast, cast.site) == []
    page = sign_in(cast.investigator).get("/holds/").content.decode()
    assert "Not active. It would hold." in page


@pytest.mark.parametrize(("rule", "texts"), RULES)
def test_switched_on_by_signature_the_death_places_the_hold(cast, version, subject, rule, texts):
    decision = switch(cast, version, RuleKind.HOLD, rule)
    entered(cast, subject, texts)
    assert proposals() == [(rule, "placed", False, True)]
    (hold,) = holds()
    assert (hold.site, hold.scope, hold.rule) == (cast.site, Scope.BOTH, rule)
    assert (hold.placed_by, hold.activation_id) == (None, decision.pk)
    assert refused(cast, version, cast.site)
    assert may_not_treat(cast, cast.site)
    assert refused(cast, version, cast.other_site) == []


@pytest.mark.parametrize(("rule", "texts"), RULES)
def test_switched_on_later_it_holds_for_the_death_that_waits(cast, version, subject, rule, texts):
    entered(cast, subject, texts)
    switch(cast, version, RuleKind.HOLD, rule)
    assert len(holds()) == 1
    assert proposals() == [(rule, "placed", False, True)]


@pytest.mark.parametrize(("rule", "texts"), RULES)
def test_another_death_is_none_of_its(cast, version, subject, rule, texts):
    switch(cast, version, RuleKind.HOLD, rule)
    entered(cast, subject, OTHER)
    assert proposals() == []
    assert holds() == []


@pytest.mark.parametrize("how", ["corrected", "voided", "switched off"])
@pytest.mark.parametrize(("rule", "texts"), RULES)
def test_nothing_lifts_its_hold_by_itself(cast, version, subject, rule, texts, how):
    switch(cast, version, RuleKind.HOLD, rule)
    record = entered(cast, subject, texts)
    if how == "corrected":
        entered(cast, subject, OTHER | {"died_time": "", "related_circuit": "NOT RELATED"}, "note")
    elif how == "voided":
        with as_person(cast.nurse):
            found = CrfRecord.objects.get(pk=record.pk)
            void_record(record=found, reason="another participant", by=cast.nurse)
    else:
        switch(cast, version, RuleKind.HOLD, rule, active=False)
    assert len(holds()) == 1
    assert may_not_treat(cast, cast.site)
    assert [row[3] for row in proposals()] == [how == "switched off"]
