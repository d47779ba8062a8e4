"""The datasets of the study's conduct."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site, User
from trialsite.casebook.models import ProtocolVersion, Subject
from trialsite.conduct.models import (
    Decision,
    GateReview,
    Hold,
    ProposalStatus,
    ProposedHold,
    RuleActivation,
    RuleKind,
    SafetySnapshot,
    Scope,
)
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

HOLDS, ACTIVATIONS, REVIEWS, SITES, USERS, VERSIONS, PROPOSED, SUBJECTS, SNAPSHOTS = (
    model._meta.db_table
    for model in (
        Hold,
        RuleActivation,
        GateReview,
        Site,
        User,
        ProtocolVersion,
        ProposedHold,
        Subject,
        SafetySnapshot,
    )
)


@register_datasets
def conduct() -> list[Dataset]:
    return [holds(), proposed_holds(), rule_activations(), gate_reviews(), safety_snapshots()]


def holds() -> Dataset:
    """One line for each hold and each site it binds."""
    return Dataset(
        name="holds",
        title=_("Holds"),
        columns=(
            Column(name="SITEID", sql="t.code", label=_("Site")),
            Column(
                name="STUDYWIDE",
                sql="h.site_id IS NULL",
                label=_("Whole study"),
                kind=Kind.BOOLEAN,
            ),
            Column(name="HOLD", sql="h.id", label=_("Hold"), kind=Kind.ID),
            Column(name="SCOPE", sql="h.scope", label=_("What is held"), codes=dict(Scope.choices)),
            Column(name="REASON", sql="h.reason", label=_("Reason")),
            Column(name="RULE", sql="h.rule", label=_("Rule")),
            Column(name="PLACED", sql="h.placed_at", label=_("Placed"), kind=Kind.MOMENT),
            Column(name="LIFTED", sql="h.lifted_at", label=_("Lifted"), kind=Kind.MOMENT),
            Column(name="LIFTREASON", sql="h.lift_reason", label=_("Reason for lifting")),
            Column(name="SIGNATURE", sql="h.lift_signature_id", label=_("Signature"), kind=Kind.ID),
        ),
        source=f"{HOLDS} h JOIN {SITES} t ON h.site_id IS NULL OR h.site_id = t.id",
        site="t.id",
        order='h.placed_at, h.id, t.code COLLATE "C"',
    )


def proposed_holds() -> Dataset:
    """What happened for which the study would pause, and what became of it."""
    return Dataset(
        name="proposed_holds",
        title=_("Proposed holds"),
        columns=(
            Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
            Column(name="SUBJID", sql="s.number", label=_("Subject number"), sdtm="DM.SUBJID"),
            Column(name="SCRNID", sql="s.screening_number", label=_("Screening number")),
            Column(name="PROPOSAL", sql="p.id", label=_("Proposed hold"), kind=Kind.ID),
            Column(name="RULE", sql="nullif(p.rule, '')", label=_("Rule")),
            Column(name="EVENT", sql="nullif(p.trigger, '')", label=_("Event")),
            Column(name="STUDYWIDE", sql="p.study_wide", label=_("Whole study"), kind=Kind.BOOLEAN),
            Column(name="REASON", sql="p.reason", label=_("Reason")),
            Column(name="RAISED", sql="p.raised_at", label=_("Raised"), kind=Kind.MOMENT),
            Column(
                name="CAUSEENDED",
                sql="p.cause_ended_at",
                label=_("Cause taken back"),
                kind=Kind.MOMENT,
            ),
            Column(
                name="STATUS",
                sql="p.status",
                label=_("Status"),
                codes=dict(ProposalStatus.choices),
            ),
            Column(name="HOLD", sql="p.hold_id", label=_("Hold"), kind=Kind.ID),
            Column(name="DECIDED", sql="p.decided_at", label=_("Decided"), kind=Kind.MOMENT),
            Column(name="DISMISSED", sql="nullif(p.dismiss_reason, '')", label=_("Why no hold")),
        ),
        source=f"{PROPOSED} p JOIN {SITES} t ON t.id = p.site_id "
        f"LEFT JOIN {SUBJECTS} s ON s.id = p.subject_id",
        site="p.site_id",
        order='p.raised_at, p.id, t.code COLLATE "C"',
    )


def rule_activations() -> Dataset:
    return Dataset(
        name="rule_activations",
        title=_("Rules switched on and off"),
        columns=(
            Column(name="KIND", sql="a.kind", label=_("Kind"), codes=dict(RuleKind.choices)),
            Column(name="RULE", sql="a.rule", label=_("Rule")),
            Column(name="NUMBER", sql="a.number", label=_("Number"), kind=Kind.INTEGER),
            Column(name="VERSION", sql="v.version", label=_("Version")),
            Column(name="ACTIVE", sql="a.active", label=_("Active"), kind=Kind.BOOLEAN),
            Column(
                name="PARAMETERS", sql="a.content::jsonb", label=_("Parameters"), kind=Kind.JSON
            ),
            Column(name="REASON", sql="a.reason", label=_("Reason")),
            Column(name="DECIDED", sql="a.decided_at", label=_("Decided"), kind=Kind.MOMENT),
            Column(name="SIGNATURE", sql="a.signature_id", label=_("Signature"), kind=Kind.ID),
        ),
        source=f"{ACTIVATIONS} a JOIN {VERSIONS} v ON v.id = a.version_id",
        site="",
        order='a.kind, a.rule COLLATE "C", a.number',
    )


def gate_reviews() -> Dataset:
    return Dataset(
        name="gate_reviews",
        title=_("Reviews at gates"),
        columns=(
            Column(name="GATE", sql="nullif(g.gate, '')", label=_("Gate")),
            Column(name="NUMBER", sql="g.number", label=_("Number"), kind=Kind.INTEGER),
            Column(name="VERSION", sql="v.version", label=_("Version")),
            Column(
                name="DECISION",
                sql="g.decision",
                label=_("Decision"),
                codes=dict(Decision.choices),
            ),
            Column(
                name="MEETING", sql="g.meeting_on", label=_("Date of the meeting"), kind=Kind.DATE
            ),
            Column(name="DOCUMENT", sql="g.document", label=_("Document")),
            Column(name="COMMENT", sql="g.comment", label=_("Comment")),
            Column(name="ENROLLED", sql="g.enrolled", label=_("Enrolled"), kind=Kind.INTEGER),
            Column(name="WITHDATA", sql="g.with_data", label=_("With data"), kind=Kind.INTEGER),
            Column(
                name="NEXTAFTER",
                sql="g.next_after",
                label=_("Next review after subjects"),
                kind=Kind.INTEGER,
            ),
            Column(name="NEXTON", sql="g.next_on", label=_("Next review on"), kind=Kind.DATE),
            Column(
                name="LETPASS",
                sql="cardinality(g.covers)",
                label=_("Subjects let pass"),
                kind=Kind.INTEGER,
            ),
            Column(name="SNAPSHOT", sql="g.snapshot_id", label=_("Safety snapshot"), kind=Kind.ID),
            Column(name="RECORDED", sql="g.recorded_at", label=_("Recorded"), kind=Kind.MOMENT),
            Column(name="SIGNATURE", sql="g.signature_id", label=_("Signature"), kind=Kind.ID),
        ),
        source=f"{REVIEWS} g JOIN {VERSIONS} v ON v.id = g.version_id",
        site="",
        order='g.gate COLLATE "C", g.number',
    )


def safety_snapshots() -> Dataset:
    """The data cuts made for safety committees; their figures stay with the study's people."""
    return Dataset(
        name="safety_snapshots",
        title=_("Safety snapshots"),
        columns=(
            Column(name="SNAPSHOT", sql="n.id", label=_("Safety snapshot"), kind=Kind.ID),
            Column(name="NUMBER", sql="n.number", label=_("Number"), kind=Kind.INTEGER),
            Column(name="VERSION", sql="v.version", label=_("Version")),
            Column(name="PURPOSE", sql="n.purpose", label=_("Purpose")),
            Column(name="TAKEN", sql="n.taken_at", label=_("Data cut"), kind=Kind.MOMENT),
            Column(name="SHA256", sql="n.sha256", label="SHA-256"),
        ),
        source=f"{SNAPSHOTS} n JOIN {VERSIONS} v ON v.id = n.version_id",
        site="",
        order="n.number",
    )
