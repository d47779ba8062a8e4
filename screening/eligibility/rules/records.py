"""What is on record: a grade, allergies, the consent."""

from __future__ import annotations

from decimal import Decimal

from screening.eligibility.cases import Case
from screening.eligibility.facts import AllergyFact, Facts, ItemFact
from screening.eligibility.measures import Truth
from screening.eligibility.verdicts import (
    Evidence,
    Finding,
    Flag,
    Kind,
    Missing,
    Need,
    Parameters,
    Reason,
    Why,
)
from trialsite.protocol.rules import ConsentByParticipant, GradeAtMost, SevereAllergy

SEVERE = "severe"
PARTICIPANT = "participant"


def latest_items(facts: Facts, item_oid: str) -> list[ItemFact]:
    """The item's latest value up to day zero; several only where observed at one moment."""
    known = [one for one in facts.items.get(item_oid, ()) if one.observed_at <= facts.day_zero]
    moment = max((one.observed_at for one in known), default=None)
    found = [one for one in known if one.observed_at == moment]
    return sorted(found, key=lambda one: (str(one.value), str(one.record_id)))


def item_evidence(item_oid: str, item: ItemFact, why: Why | None = None) -> Evidence:
    """The value as recorded."""
    return Evidence(
        kind=Kind.ITEM,
        name=item_oid,
        text=_shown(item.value),
        at=item.observed_at,
        record_id=item.record_id,
        used=why is None,
        why=why,
        parameters={"label": item.label},
    )


def _shown(value: str | bool | Decimal) -> str:  # noqa: FBT001 (a recorded value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def judge_grade(case: Case, rule: GradeAtMost) -> Finding:
    """The latest grade on a completed form is the highest accepted one, or lower."""
    items = latest_items(case.facts, rule.item_oid)
    if not items:
        return undecided(Missing(need=Need.ITEM, name=rule.item_oid))
    if not all(item.complete for item in items):
        shown = tuple(item_evidence(rule.item_oid, one, Why.FORM_INCOMPLETE) for one in items)
        need = Missing(need=Need.FORM_COMPLETION, name=rule.item_oid)
        return undecided(need, evidence=shown, flags=frozenset({Flag.INCOMPLETE_FORM}))
    shown = tuple(item_evidence(rule.item_oid, one) for one in items)
    scale = case.reading.choose(case.path("scale"), rule.scale, (None,))
    highest = case.reading.choose(case.path("highest"), rule.highest, rule.scale)
    truths = {_at_most(str(item.value), highest, scale) for item in items}
    if len(truths) > 1:
        need = Missing(need=Need.ONE_RESULT, name=rule.item_oid)
        return undecided(need, evidence=shown, flags=frozenset({Flag.CONFLICTING}))
    (truth,) = truths
    if truth is None:
        return undecided(Missing(need=Need.ITEM, name=rule.item_oid), evidence=shown)
    parameters = {"grade": str(items[0].value), "highest": rule.highest}
    code = "grade_accepted" if truth else "grade_too_high"
    boundary = frozenset({Flag.AT_BOUNDARY}) if items[0].value == rule.highest else frozenset()
    return Finding(
        truth=truth,
        reason=Reason(code=code, parameters=parameters),
        flags=boundary,
        evidence=shown,
    )


def _at_most(grade: str, highest: str, scale: tuple[str, ...] | None) -> Truth:
    if scale is None or grade not in scale:
        return None
    return scale.index(grade) <= scale.index(highest)


def undecided(
    need: Missing,
    *,
    evidence: tuple[Evidence, ...] = (),
    flags: frozenset[Flag] = frozenset(),
) -> Finding:
    """Not yet known, for want of this."""
    return Finding(
        truth=None,
        reason=Reason(code="not_enough"),
        flags=flags,
        evidence=evidence,
        missing=(need,),
    )


def judge_severe_allergy(case: Case, rule: SevereAllergy) -> Finding:
    """A severe allergy to one of the agents is on record; nobody asked is unknown."""
    allergies = case.facts.allergies
    if allergies is None:
        return undecided(Missing(need=Need.ALLERGIES))
    agents = _agents(case, rule, allergies)
    concerned = [one for one in allergies if one.agent in agents]
    severe = [one for one in concerned if one.severity == SEVERE]
    ungraded = [one for one in concerned if not one.severity]
    shown = tuple(_allergy_evidence(one, agents) for one in allergies)
    if severe:
        names = tuple(one.agent for one in severe)
        reason = Reason(code="severe_allergy", parameters={"agents": names})
        return Finding(truth=True, reason=reason, evidence=shown)
    if ungraded:
        return undecided(
            Missing(need=Need.ALLERGY_SEVERITY, name=ungraded[0].agent), evidence=shown
        )
    reason = Reason(code="no_severe_allergy", parameters={"agents": rule.agents})
    return Finding(truth=False, reason=reason, evidence=shown)


def _agents(case: Case, rule: SevereAllergy, allergies: tuple[AllergyFact, ...]) -> tuple[str, ...]:
    written = rule.agents
    fewer = [tuple(one for one in written if one != left) for left in written]
    more = [(*written, one.agent) for one in allergies if one.agent not in written]
    return case.reading.choose(case.path("agents"), written, (*fewer, *more))


def _allergy_evidence(allergy: AllergyFact, agents: tuple[str, ...]) -> Evidence:
    concerned = allergy.agent in agents
    return Evidence(
        kind=Kind.ALLERGY,
        name=allergy.agent,
        text=allergy.severity,
        record_id=allergy.record_id,
        used=concerned,
        why=None if concerned else Why.NOT_DECIDING,
    )


def judge_consent(case: Case, rule: ConsentByParticipant) -> Finding:  # noqa: ARG001 (the catalogue's shape)
    """Decision C4: the initial consent is the participant's own."""
    consent = case.facts.consent
    if consent is None or consent.given_at > case.facts.day_zero:
        return undecided(Missing(need=Need.CONSENT))
    own = consent.signer == PARTICIPANT
    code = "own_consent" if own else "consent_by_another"
    if own and not consent.valid:
        code = "consent_not_in_force"
    shown = Evidence(
        kind=Kind.CONSENT,
        name=consent.version,
        text=consent.signer,
        at=consent.given_at,
        parameters={"capacity": consent.capacity, "valid": consent.valid},
    )
    parameters: Parameters = {"version": consent.version, "given_on": consent.given_on}
    return Finding(
        truth=own and consent.valid,
        reason=Reason(code=code, parameters=parameters),
        evidence=(shown,),
    )
