"""How a subject's consent stands: read off the acts themselves, never stored.

Everything here is a function of what was signed, assessed, withdrawn and approved, and of
a day. A task that keeps `Subject.consent_state` in step may be late; this is not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from django.utils.translation import gettext as _

from screening.facts import ConsentFact
from screening.models.consent import (
    CapacityAssessment,
    CapacityOutcome,
    Consent,
    ConsentApproval,
    ConsentDocument,
    ConsentKind,
    ConsentPart,
    Scope,
    Signer,
    Withdrawal,
)
from trialsite.casebook.models import ConsentState

ALL = frozenset(Scope)


class DueKind(StrEnum):
    """Why a subject must consent anew."""

    NEW_VERSION = "new_version"
    OWN_AGAIN = "own_again"


@dataclass(frozen=True, slots=True)
class Due:
    """One consent that is owed, since a day."""

    kind: DueKind
    since: dt.date
    version: str = ""

    @property
    def text(self) -> str:
        if self.kind is DueKind.NEW_VERSION:
            return _("Re-consent to version %(version)s is due since %(date)s.") % {
                "version": self.version,
                "date": self.since.isoformat(),
            }
        return _(
            "Capacity is back since %(date)s: the participant's own consent is due; only a "
            "representative has signed since it was lost."
        ) % {"date": self.since.isoformat()}


def in_order(part: ConsentPart) -> tuple[dt.datetime, dt.datetime]:
    """Acts in the order in which they happened; of the same minute, as they were recorded."""
    return part.at, part.recorded_at


def in_force(
    approvals: Sequence[ConsentApproval], document: ConsentDocument, on: dt.date
) -> ConsentApproval | None:
    """The approval by which the document counts on a day at the site of these approvals.

    The newest effective version of its language counts; an earlier one is superseded.
    """
    begun = [
        each
        for each in approvals
        if each.document.language == document.language and counts(each, on)
    ]
    newest = max(begun, key=lambda each: (each.effective_on, each.pk), default=None)
    return newest if newest is not None and newest.document_id == document.pk else None


def counts(approval: ConsentApproval, on: dt.date) -> bool:
    """Whether an approval has begun and is not withdrawn on a day."""
    ended = approval.withdrawn_on is not None and approval.withdrawn_on <= on
    return approval.effective_on <= on and not ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Everything standing about one subject's consent, each list in the order it happened."""

    consents: list[Consent]
    assessments: list[CapacityAssessment]
    withdrawals: list[Withdrawal]
    approvals: list[ConsentApproval]
    #: The day at the site on which it is asked.
    today: dt.date
    #: Nothing is owed by who has left the trial or died.
    in_trial: bool

    @property
    def state(self) -> ConsentState:
        """What the casebook shows of it."""
        if not self.consents:
            return ConsentState.NONE
        if Scope.ALL_DATA in self.scopes:
            return ConsentState.WITHDRAWN
        return ConsentState.RECONSENT_DUE if self.due else ConsentState.GIVEN

    def as_of(self, moment: dt.datetime, today: dt.date) -> Standing:
        """How it stood at a moment, which was this day at the site: by the acts until then."""
        return replace(
            self,
            consents=[each for each in self.consents if each.at <= moment],
            assessments=[each for each in self.assessments if each.at <= moment],
            withdrawals=[each for each in self.withdrawals if each.at <= moment],
            today=today,
        )

    @property
    def lacks_first(self) -> bool:
        """No first consent stands: none was given yet, or it was voided to be entered anew."""
        return all(each.kind != ConsentKind.INITIAL for each in self.consents)

    @property
    def founding(self) -> Consent | None:
        """The participant's own first act; while there is none, the representative's."""
        own = next((each for each in self.consents if each.signer == Signer.PARTICIPANT), None)
        return own or next(iter(self.consents), None)

    @property
    def fact(self) -> ConsentFact | None:
        found = self.founding
        if found is None:
            return None
        return ConsentFact(
            given_at=found.at,
            given_on=found.wall.date(),
            signer=found.signer,
            version=found.document.version,
            valid=found.signer == Signer.PARTICIPANT
            and self.was_in_force(found)
            and not self.scopes & {Scope.TREATMENT, Scope.ALL_DATA},
            capacity=self.capacity,
            reconsent_due=bool(self.due),
        )

    def was_in_force(self, consent: Consent) -> bool:
        """Whether the document counts for the day it was signed, as approvals stand now.

        A document that this site never had approved came along with a transferred subject.
        """
        known = any(each.document_id == consent.document_id for each in self.approvals)
        signed_on = consent.wall.date()
        return not known or in_force(self.approvals, consent.document, signed_on) is not None

    @property
    def capacity(self) -> str:
        """As last assessed; fluctuating capacity cannot be relied on and counts as lost."""
        if not self.assessments:
            return "unknown"
        present = self.assessments[-1].outcome == CapacityOutcome.PRESENT
        return CapacityOutcome.PRESENT.value if present else CapacityOutcome.LOST.value

    def capacity_at(self, moment: dt.datetime) -> str:
        """As it had last been assessed at a moment."""
        before = [each for each in self.assessments if each.at <= moment]
        if not before:
            return "unknown"
        present = before[-1].outcome == CapacityOutcome.PRESENT
        return CapacityOutcome.PRESENT.value if present else CapacityOutcome.LOST.value

    @property
    def _since_assessed(self) -> CapacityAssessment | None:
        """The first of the last assessments that say the same."""
        found = None
        for each in reversed(self.assessments):
            present = each.outcome == CapacityOutcome.PRESENT
            if present != (self.capacity == CapacityOutcome.PRESENT):
                break
            found = each
        return found

    @property
    def lost_since(self) -> CapacityAssessment | None:
        """The assessment that found the present loss of capacity; None while it is present."""
        return self._since_assessed if self.capacity == CapacityOutcome.LOST else None

    @property
    def carried_by_representative(self) -> bool:
        """During a loss of capacity, a representative consented to go on."""
        lost, acts = self.lost_since, self.consents
        if lost is None or not acts:
            return False
        if acts[-1].signer == Signer.REPRESENTATIVE:
            return True
        return any(each.signer == Signer.REPRESENTATIVE and each.at >= lost.at for each in acts)

    @property
    def scopes(self) -> frozenset[Scope]:
        """What is withdrawn now. All data includes the others; a later consent takes back what
        it names and nothing else."""
        return frozenset(self.withdrawn_since)

    @property
    def withdrawn_since(self) -> dict[Scope, dt.date]:
        """Since which day at the site each scope is withdrawn without a break."""
        return {scope: act.wall.date() for scope, act in self.withdrawn_by.items()}

    @property
    def withdrawn_by(self) -> dict[Scope, Withdrawal]:
        """The act since which each scope is withdrawn without a break."""
        gone: dict[Scope, Withdrawal] = {}
        acts: list[ConsentPart] = [*self.withdrawals, *self.consents]
        for act in sorted(acts, key=in_order):
            if isinstance(act, Withdrawal):
                named = {Scope(each) for each in act.scopes}
                for scope in ALL if Scope.ALL_DATA in named else named:
                    gone.setdefault(scope, act)
            elif isinstance(act, Consent):
                for each in act.resumes:
                    gone.pop(Scope(each), None)
        return gone

    @property
    def due(self) -> list[Due]:
        """The consents owed on this day, the oldest first."""
        if not self.consents or not self.in_trial or Scope.ALL_DATA in self.scopes:
            return []
        found = [each for each in (self._version_due(), self._own_due()) if each is not None]
        return sorted(found, key=lambda each: each.since)

    def _own_due(self) -> Due | None:
        last, assessed = self.consents[-1], self._since_assessed
        if self.capacity != CapacityOutcome.PRESENT or assessed is None:
            return None
        if last.signer != Signer.REPRESENTATIVE:
            return None
        return Due(DueKind.OWN_AGAIN, max(assessed.wall.date(), last.wall.date()))

    def _version_due(self) -> Due | None:
        """The newest version that asks for re-consent and has not been followed."""
        followed = max(self._rank_of(each) for each in self.consents)
        owed = [
            each
            for each in self._by_version().values()
            if each.document.reconsent_required and _rank(each) > followed
        ]
        if not owed:
            return None
        newest = max(owed, key=_rank)
        since = min(each.effective_on for each in owed)
        return Due(DueKind.NEW_VERSION, since, newest.document.version)

    def _by_version(self) -> dict[str, ConsentApproval]:
        """Each version that counts today, by its first approval in any language here."""
        first: dict[str, ConsentApproval] = {}
        for each in sorted(self.approvals, key=_rank):
            if counts(each, self.today):
                first.setdefault(each.document.version, each)
        return first

    def _rank_of(self, consent: Consent) -> tuple[dt.date, int]:
        """Where the signed version stands among this site's; elsewhere's by the day of signing."""
        ranks = [
            _rank(each)
            for each in self.approvals
            if each.document.version == consent.document.version
        ]
        return min(ranks, default=(consent.wall.date(), 0))

    def refusals(self, scope: Scope = Scope.TREATMENT) -> list[str]:
        """Why no new protocol procedure of this kind may start now; empty: it may.

        It concerns procedures and sessions only: observations, safety and survival go on.
        """
        if not self.consents:
            return [_("No consent is on record.")]
        if Scope.ALL_DATA in self.scopes:
            return [_("The participant has withdrawn consent for all data.")]
        found = []
        if scope in self.scopes:
            found.append(_("The participant has withdrawn: %(scope)s.") % {"scope": scope.label})
        founding = self.founding
        if founding is not None and founding.signer != Signer.PARTICIPANT:
            found.append(
                _(
                    "The first consent was signed by a representative. It must be the "
                    "participant's own."
                )
            )
        return [*found, *self.capacity_refusals(), *(each.text for each in self.due)]

    def capacity_refusals(self) -> list[str]:
        """Why nobody speaks for the participant now; empty where somebody does."""
        lost = self.lost_since
        if lost is None or self.carried_by_representative:
            return []
        return [
            _(
                "Capacity to consent was lost on %(date)s (hepatic encephalopathy %(grade)s), "
                "and no representative has consented to go on."
            )
            % {"date": lost.wall.date().isoformat(), "grade": lost.get_he_grade_display()}
        ]


def _rank(approval: ConsentApproval) -> tuple[dt.date, int]:
    return approval.effective_on, approval.pk
