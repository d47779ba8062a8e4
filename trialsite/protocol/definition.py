from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

from .criteria import Criterion
from .follow_up import FollowUp
from .labs import Labs
from .proposals import SafetyProposals
from .provenance import Assumption, Provenance
from .reminders import ReminderPlan
from .reporting import SafetyReporting
from .samples import SamplePlan
from .schedule import Schedule
from .sessions import ItemLimits, SessionPlan
from .study import Anchor, Outcomes, Study
from .values import Source, Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Protocol:
    """One version of a study's protocol as data (ODM MetaDataVersion).

    `translation` names the language whose wording is a translation; its source covers every
    translated wording. Two protocols are the same when their `content_hash` is.
    """

    version: str
    translation: Annotated[str, Value("Chinese wording", "中文译文")]
    study: Study
    anchor: Anchor
    outcomes: Outcomes
    schedule: Schedule
    criteria: tuple[Criterion, ...]
    labs: Labs
    sessions: SessionPlan | None = None
    item_limits: tuple[ItemLimits, ...] = ()
    samples: SamplePlan | None = None
    follow_up: FollowUp | None = None
    reminders: ReminderPlan
    safety_reporting: SafetyReporting | None = None
    proposals: SafetyProposals
    provenance: Provenance
    content_hash: str

    def criterion(self, criterion_id: str) -> Criterion:
        """The criterion with this id; unknown: LookupError."""
        for criterion in self.criteria:
            if criterion.id == criterion_id:
                return criterion
        message = f"The protocol has no criterion {criterion_id}."
        raise LookupError(message)

    def assumptions(self) -> tuple[Assumption, ...]:
        """Every value that is our assumption and not yet confirmed, in file order."""
        return self.provenance.assumptions()

    def assumptions_under(self, path: str) -> tuple[Assumption, ...]:
        """Those at `path` or below it: for `criteria.IN01.rule`, what its verdict rests on."""
        return tuple(
            assumption
            for assumption in self.assumptions()
            if assumption.path == path or assumption.path.startswith(f"{path}.")
        )

    def source_of(self, path: str) -> Source | None:
        """The source of the value at `path`, None for labels and structure.
        Unknown: UnknownPathError."""
        return self.provenance.source_of(path)

    def with_confirmed(self, paths: Iterable[str]) -> "Protocol":
        """This version with these assumptions confirmed. Unknown: UnknownPathError."""
        return replace(self, provenance=self.provenance.with_confirmed(paths))
