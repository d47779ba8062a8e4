"""Lots: registering, tests, and the decisions that release, stop, recall and close them."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import asdict, dataclass
from decimal import Decimal

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.access.signing import SigningProof
from trialsite.core.clock import TrialNow, trial_now
from trialsite.core.context import because
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.crf.violations import ImpossibleError
from trialsite.notify.outbox import announce
from trialsite.review.signatures import canonical, sign
from visits.models import (
    STATE_AFTER,
    Assay,
    DonorScreening,
    LotAct,
    LotDecision,
    LotMovement,
    LotState,
    ProductLot,
    ReleaseTest,
    ResultStage,
    Verdict,
)
from visits.selectors.products import scanned
from visits.services.products.refusing import product_refusals

RELEASED = "product_released"
#: The kind of the notices about a lot that was stopped (`visits.product_alerts`).
ALERT = "product-alert"

RELEASE_MEANING: Promise = gettext_lazy(
    "I release this lot for use in the study. I have read its release tests and certificate."
)

#: What must have passed before a release (clinical 1e); sterility may be preliminary then,
#: because its final result comes after the cells have been used.
REQUIRED_ASSAYS = (
    Assay.CD73,
    Assay.CD90,
    Assay.CD105,
    Assay.NEGATIVE,
    Assay.STERILITY,
    Assay.MYCOPLASMA,
    Assay.ENDOTOXIN,
    Assay.KARYOTYPE,
    Assay.POTENCY,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LotFacts:
    """What the manufacturer says of a lot."""

    product: str
    source: str
    donor_code: str
    donor_screening: str
    manufactured_on: dt.date
    expires_at: dt.datetime
    units_made: int
    cells_per_unit: Decimal
    viability: Decimal
    passage: int | None = None
    doublings: Decimal | None = None
    storage: str = ""
    certificate: str = ""
    certificate_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFacts:
    """One result of one release test."""

    __test__ = False

    kind: str
    result: str
    verdict: str
    resulted_on: dt.date
    stage: str = ResultStage.FINAL
    name: str = ""
    unit: str = ""
    limit: str = ""
    document: str = ""
    document_sha256: str = ""


@transaction.atomic
def register_lot(*, code: str, facts: LotFacts, by: User) -> ProductLot:
    """Enter a lot into the study's register; nobody may use it before it is released."""
    by.require(Capability.MANAGE_PRODUCT)
    code = scanned(code)
    if ProductLot.objects.filter(code=code).exists():
        raise ImpossibleError({"code": [_("This lot is registered already.")]})
    lot = ProductLot(code=code, registered_by=by, registered_at=TrialNow(), **asdict(facts))
    _expect_plausible(facts)
    with product_refusals(ProductLot):
        lot.save(force_insert=True)
    lot.refresh_from_db(fields=["registered_at"])
    return lot


@transaction.atomic
def correct_lot(*, lot: ProductLot, facts: LotFacts, reason: str, by: User) -> ProductLot:
    """Put right what is said of a lot that nobody may use at present; with a reason."""
    by.require(Capability.MANAGE_PRODUCT)
    lot = locked_lot(lot)
    reason = _reason(reason)
    if lot.state not in {LotState.REGISTERED, LotState.QUARANTINED}:
        raise TransitionError(
            _("What was signed at the release is not changed. Quarantine the lot first.")
        )
    _expect_plausible(facts)
    for name, value in asdict(facts).items():
        setattr(lot, name, value)
    with because(reason), product_refusals(ProductLot):
        lot.save(update_fields=list(asdict(facts)))
    return lot


def _expect_plausible(facts: LotFacts) -> None:
    """Refuse what no constraint can know: the day it is today."""
    if facts.manufactured_on > trial_now().date() + dt.timedelta(days=1):
        raise ImpossibleError({"manufactured_on": [_("This date lies in the future.")]})


@transaction.atomic
def record_test(*, lot: ProductLot, facts: TestFacts, by: User) -> ReleaseTest:
    """Enter a release test; a lot that fails one is quarantined in the same moment."""
    by.require(Capability.MANAGE_PRODUCT)
    lot = locked_lot(lot)
    if facts.resulted_on > trial_now().date() + dt.timedelta(days=1):
        raise ImpossibleError({"resulted_on": [_("This date lies in the future.")]})
    test = ReleaseTest(lot=lot, entered_by=by, entered_at=TrialNow(), **asdict(facts))
    with product_refusals(ReleaseTest):
        test.save(force_insert=True)
    test.refresh_from_db(fields=["entered_at"])
    if test.verdict == Verdict.FAIL and lot.state in _STOPPABLE:
        said = _("%(test)s (%(stage)s): %(result)s %(unit)s fails the limit.") % {
            "test": test.title,
            "stage": test.get_stage_display(),
            "result": test.result,
            "unit": test.unit,
        }
        _decide(lot, LotAct.QUARANTINE, " ".join(said.split()), by, test=test)
    return test


@transaction.atomic
def void_test(*, test: ReleaseTest, reason: str, by: User) -> ReleaseTest:
    """Take a result back that was never so; a lot in use that then lacks one is stopped."""
    by.require(Capability.MANAGE_PRODUCT)
    lot = locked_lot(test.lot)
    test = ReleaseTest.objects.select_for_update(no_key=True).get(pk=test.pk)
    if test.voided_at is not None:
        raise TransitionError(_("This result has been voided."))
    reason = _reason(reason)
    test.voided_at, test.voided_by, test.void_reason = trial_now(), by, reason[:500]
    with because(reason):
        test.save(update_fields=["voided_at", "voided_by", "void_reason"])
    missing = release_problems(lot)
    if lot.state == LotState.RELEASED and missing:
        _decide(lot, LotAct.QUARANTINE, " ".join(missing)[:1000], by)
    return test


def release_problems(lot: ProductLot) -> list[str]:
    """Why a lot may not be released now; empty where it may."""
    tests = list(ReleaseTest.objects.filter(lot=lot).standing())
    passed = {each.kind for each in tests if each.verdict == Verdict.PASS}
    problems = [
        _("%(test)s fails the limit.") % {"test": each.title}
        for each in tests
        if each.verdict == Verdict.FAIL
    ]
    problems += [
        _("%(test)s has no result that meets its limit.") % {"test": kind.label}
        for kind in REQUIRED_ASSAYS
        if kind not in passed
    ]
    if lot.donor_screening != DonorScreening.CLEARED:
        problems.append(_("The screening of the donor is not complete and negative."))
    if lot.is_expired(trial_now()):
        problems.append(_("The lot is expired."))
    if not lot.certificate:
        problems.append(_("The certificate of analysis is not named."))
    return problems


@transaction.atomic
def release_lot(*, lot: ProductLot, reason: str, by: User, proof: SigningProof) -> ProductLot:
    """Let a lot be used, also after a quarantine: signed by the study's principal investigator."""
    by.require_study_wide(Capability.CONFIGURE_STUDY)
    lot = locked_lot(lot)
    if lot.state not in {LotState.REGISTERED, LotState.QUARANTINED}:
        raise TransitionError(_("This lot is “%(state)s” already.") % {"state": _state(lot)})
    problems = release_problems(lot)
    if problems:
        raise DomainError(" ".join(problems))
    reason = _reason(reason)
    decision = _decision(lot, LotAct.RELEASE, reason, by)
    decision.signature = sign(
        kind=RELEASED,
        target=decision.pk,
        content=content_of_release(lot, decision),
        meaning=RELEASE_MEANING,
        by=by,
        proof=proof,
        capability=Capability.CONFIGURE_STUDY,
    )
    return _enact(lot, decision)


def content_of_release(lot: ProductLot, decision: LotDecision) -> str:
    """What is signed: the lot as registered, its standing results, the reason."""
    tests = ReleaseTest.objects.filter(lot=lot).standing().order_by("entered_at", "pk")
    facts = {name: getattr(lot, name) for name in LotFacts.__dataclass_fields__}
    return canonical(
        {
            "decision": decision.pk,
            "lot": lot.code,
            "number": decision.number,
            "reason": decision.reason,
            "facts": facts,
            "tests": [[each.pk, each.kind, each.result, each.verdict] for each in tests],
        }
    )


#: Where stopping a lot says something new.
_STOPPABLE = {LotState.REGISTERED, LotState.RELEASED, LotState.CLOSED}


@transaction.atomic
def quarantine_lot(*, lot: ProductLot, reason: str, by: User) -> ProductLot:
    """Stop a lot everywhere at once; whoever may hold the study somewhere may stop a lot."""
    by.require(Capability.HOLD)
    lot = locked_lot(lot)
    if lot.state not in _STOPPABLE:
        raise TransitionError(_("This lot is “%(state)s” already.") % {"state": _state(lot)})
    return _decide(lot, LotAct.QUARANTINE, _reason(reason), by)


@transaction.atomic
def recall_lot(*, lot: ProductLot, reason: str, by: User) -> ProductLot:
    """Recall a lot for good: it is used nowhere any more, and every site is told."""
    by.require_study_wide(Capability.HOLD)
    lot = locked_lot(lot)
    if lot.state == LotState.RECALLED:
        raise TransitionError(_("This lot is “%(state)s” already.") % {"state": _state(lot)})
    return _decide(lot, LotAct.RECALL, _reason(reason), by)


@transaction.atomic
def close_lot(*, lot: ProductLot, reason: str, by: User) -> ProductLot:
    """Close a lot of which no site has anything left: its account is balanced."""
    by.require_study_wide(Capability.HOLD)
    lot = locked_lot(lot)
    if lot.state in {LotState.RECALLED, LotState.CLOSED}:
        raise TransitionError(_("This lot is “%(state)s” already.") % {"state": _state(lot)})
    left = sum(
        each.units if each.kind == "received" else -each.units
        for each in LotMovement.objects.filter(lot=lot).standing()
    )
    if left:
        raise TransitionError(
            _("%(units)d units are still in stock. A lot is closed when none is left.")
            % {"units": left}
        )
    return _decide(lot, LotAct.CLOSE, _reason(reason), by)


def locked_lot(lot: ProductLot) -> ProductLot:
    """The lot under its lock: everything that concerns its units and its state waits here."""
    return ProductLot.objects.select_for_update(no_key=True).get(pk=lot.pk)


def _decision(lot: ProductLot, act: LotAct, reason: str, by: User) -> LotDecision:
    last = LotDecision.objects.filter(lot=lot).order_by("-number").first()
    return LotDecision(
        pk=uuid.uuid4(),
        lot=lot,
        number=1 if last is None else last.number + 1,
        act=act,
        reason=reason[:1000],
        decided_by=by,
        decided_at=TrialNow(),
    )


def _decide(
    lot: ProductLot, act: LotAct, reason: str, by: User, test: ReleaseTest | None = None
) -> ProductLot:
    decision = _decision(lot, act, reason, by)
    decision.test = test
    return _enact(lot, decision)


def _enact(lot: ProductLot, decision: LotDecision) -> ProductLot:
    """Write the decision, then the state it puts the lot into; whoever must know is told."""
    with because(decision.reason[:500]), product_refusals(LotDecision):
        decision.save(force_insert=True)
        lot.state = STATE_AFTER[LotAct(decision.act)]
        lot.save(update_fields=["state"])
    if decision.act in {LotAct.QUARANTINE, LotAct.RECALL}:
        announce(ALERT)
    return lot


def _state(lot: ProductLot) -> str:
    return str(lot.get_state_display())


def _reason(reason: str) -> str:
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Give the reason.")]})
    return reason.strip()
