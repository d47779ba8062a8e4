"""Criteria as a page shows them: the protocol's words, the verdict, its evidence, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy
from django.utils.translation import gettext as _

from screening.eligibility.verdicts import (
    Evaluation,
    Evidence,
    Kind,
    Missing,
    Need,
    Outcome,
    State,
    Verdict,
)
from screening.eligibility.words import OUTCOMES, STATES, Speaker, shown
from screening.eligibility_names import speaker_for
from screening.models.forms import Allergies, Demographics, MedicalHistory
from screening.selectors.log import DONE, screening_records
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.units import unit_label
from trialsite.crf.registry import items_by_oid
from trialsite.labs.codes import FORM_OID as LAB_FORM
from trialsite.labs.score_lines import INPUTS
from trialsite.protocol import Protocol, Source
from trialsite.protocol.rules import InvestigatorJudgement

#: Where what is missing is entered, for needs that one form answers.
_FORM_OF = {
    Need.AETIOLOGY: MedicalHistory.form_oid,
    Need.DIALYSIS: MedicalHistory.form_oid,
    Need.ALLERGIES: Allergies.form_oid,
    Need.ALLERGY_SEVERITY: Allergies.form_oid,
    Need.BIRTH_DATE: Demographics.form_oid,
    Need.SEX: Demographics.form_oid,
}
_OF_ITEM = {Need.ITEM, Need.FORM_COMPLETION}
_OF_LAB = {Need.RESULT, Need.FRESH_RESULT, Need.ONE_RESULT, Need.EXACT_RESULT, Need.SECOND_DRAW}

KINDS: dict[str, str | Promise] = {
    "age_range": gettext_lazy("Age range"),
    "lab_at_least_or_daily_rise": gettext_lazy("Level or daily rise"),
    "either_range": gettext_lazy("Either result in its range"),
    "grade_at_most": gettext_lazy("Highest grade"),
    "any_above_uln": gettext_lazy("Any result above its limit"),
    "score_above": gettext_lazy("Score above a threshold"),
    "severe_allergy": gettext_lazy("Severe allergy"),
    "consent_by_participant": gettext_lazy("The participant's own consent"),
    "investigator_judgement": gettext_lazy("The investigator's judgement"),
}

_ANSWERS = (State.MET, State.NOT_MET)


@dataclass(frozen=True, slots=True)
class Places:
    """Where each thing of one subject is entered."""

    subject: Subject
    records: list[CrfRecord]

    def url(self, need: Missing) -> str:
        """The page on which this is supplied; empty where there is none."""
        if need.need in _OF_LAB:
            return self._form(LAB_FORM, otherwise="labs:subject")
        if need.need in _OF_ITEM:
            known = items_by_oid().get(need.name)
            return self._form(known[0].form_oid) if known else ""
        if need.need in _FORM_OF:
            return self._form(_FORM_OF[need.need])
        return self._elsewhere(need)

    def _elsewhere(self, need: Missing) -> str:
        match need.need:
            case Need.CONSENT:
                return reverse("screening:consent", args=[self.subject.pk])
            case Need.RANGE:
                return reverse("labs:laboratories")
            case Need.CONFIRMATION:
                return reverse("dashboard:protocol")
            case Need.JUDGEMENT:
                return f"#criterion-{need.name}"
        return ""

    def _form(self, oid: str, *, otherwise: str = "dashboard:subject") -> str:
        """The screening visit's record of a form, one still to be completed first."""
        found = sorted(
            (each for each in self.records if each.form_oid == oid),
            key=lambda each: each.status in DONE,
        )
        if found:
            return reverse("crf:record", args=[found[0].pk])
        return reverse(otherwise, args=[self.subject.pk])


def places_of(subject: Subject) -> Places:
    return Places(subject, screening_records([subject]).get(subject.pk, []))


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One piece of evidence in words."""

    name: str
    value: str
    canonical: str
    at: str
    laboratory: str
    url: str
    remark: str
    marks: list[str]
    #: What a score was computed from: (input, as it was, as used, link).
    parts: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One criterion."""

    id: str
    text: str
    note: str
    inclusion: bool
    judged: bool
    state: str
    #: "for", "against" or "open": what it means for the person.
    tone: str
    headline: str
    reason: str
    needs: list[tuple[str, str]]
    flags: list[str]
    evidence: list[Piece]
    rule: str
    #: The values the rule rests on: (label and value, whether assumed and not confirmed).
    values: list[tuple[str, bool]]
    #: (answer, word, whether chosen).
    choices: list[tuple[str, str, bool]]
    typed_note: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def icon(self) -> str:
        return {"for": "circle-check", "against": "circle-x", "open": "circle-dashed"}[self.tone]

    @property
    def answer(self) -> str:
        """The word of what was answered."""
        return next((word for _code, word, chosen in self.choices if chosen), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an investigator has answered so far, and what was refused of it."""

    answers: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, list[str]] = field(default_factory=dict)


NOTHING = Said()


def lines_of(
    protocol: Protocol,
    evaluation: Evaluation,
    subject: Subject,
    *,
    places: Places | None = None,
    said: Said = NOTHING,
) -> list[Line]:
    """Every criterion in the protocol's order."""
    say = speaker_for(protocol, subject.site)
    return [_line(protocol, verdict, say, places, said) for verdict in evaluation.verdicts]


def overall(protocol: Protocol, evaluation: Evaluation, subject: Subject) -> str:
    """The one sentence that comes first."""
    say = speaker_for(protocol, subject.site)
    outcome = str(OUTCOMES[evaluation.outcome])
    if evaluation.outcome is Outcome.ELIGIBLE:
        return _("%(outcome)s: no criterion keeps the person out.") % {"outcome": outcome}
    if evaluation.outcome is Outcome.INELIGIBLE:
        against = [
            f"{each.criterion} {say.headline(each)}"
            for each in evaluation.verdicts
            if each.favourable is False
        ]
        return _("%(outcome)s: %(why)s.") % {"outcome": outcome, "why": "; ".join(against)}
    data = [say.missing(one) for one in evaluation.missing if one.need is not Need.JUDGEMENT]
    judged = sum(one.need is Need.JUDGEMENT for one in evaluation.missing)
    if judged:
        data.append(_("Criteria the investigator has yet to judge: %(n)s.") % {"n": judged})
    return _("%(outcome)s: %(why)s") % {"outcome": outcome, "why": " ".join(data)}


def _line(
    protocol: Protocol, verdict: Verdict, say: Speaker, places: Places | None, said: Said
) -> Line:
    criterion = protocol.criterion(verdict.criterion)
    language = get_language() or "en"
    judged = verdict.rule == InvestigatorJudgement.kind
    tone = {None: "open", True: "for", False: "against"}[verdict.favourable]
    answer = said.answers.get(verdict.criterion, "")
    return Line(
        id=verdict.criterion,
        text=criterion.text.in_language(language),
        note=criterion.note.in_language(language) if criterion.note else "",
        inclusion=verdict.inclusion,
        judged=judged,
        state=verdict.state.value,
        tone=tone,
        headline=say.headline(verdict),
        reason=say.reason(verdict) if verdict.reason.code != "not_enough" else "",
        needs=[
            (say.missing(need), places.url(need) if places else "")
            for need in verdict.missing
            if need.need is not Need.JUDGEMENT
        ],
        flags=[say.flag(flag) for flag in verdict.flags],
        evidence=[_piece(piece, say) for piece in verdict.evidence],
        rule=str(KINDS.get(verdict.rule, verdict.rule)),
        values=_values(protocol, verdict.criterion, say),
        choices=_choices(verdict, judged=judged, answer=answer),
        typed_note=said.notes.get(verdict.criterion, ""),
        errors=list(said.errors.get(verdict.criterion, [])),
    )


def _choices(verdict: Verdict, *, judged: bool, answer: str) -> list[tuple[str, str, bool]]:
    """What may be answered: either way to a judgement, elsewhere only what the data say."""
    offered = _ANSWERS if judged else tuple(each for each in _ANSWERS if each is verdict.state)
    return [
        (each.value, str(STATES[verdict.inclusion, each]), each.value == answer) for each in offered
    ]


def _values(protocol: Protocol, criterion: str, say: Speaker) -> list[tuple[str, bool]]:
    provenance, prefix = protocol.provenance, f"criteria.{criterion}.rule."
    return [
        (say.label(path), provenance.source_of(path) is Source.ASSUMPTION)
        for path, leaf in provenance.leaves.items()
        if path.startswith(prefix) and provenance.source_of(path) is not None and not leaf.authority
    ]


def _piece(piece: Evidence, say: Speaker) -> Piece:
    parameters = piece.parameters
    return Piece(
        name=say.evidence(piece),
        value=_value(piece, say),
        canonical=_canonical(piece),
        at=piece.at.astimezone(say.zone).strftime("%Y-%m-%d %H:%M") if piece.at else "",
        laboratory=str(parameters.get("laboratory", "")),
        url=reverse("crf:record", args=[piece.record_id]) if piece.record_id else "",
        remark=say.set_aside(piece),
        marks=[say.flag(mark) for mark in piece.marks],
        parts=[
            (str(INPUTS.get(part.name, part.name)), _part_value(part), _number(part.used))
            for part in piece.parts
        ],
    )


def _value(piece: Evidence, say: Speaker) -> str:
    if piece.kind is Kind.SCORE:
        raw = piece.parameters.get("raw", "")
        if not piece.text:
            return say.not_computed(piece)
        return _("%(score)s (computed %(raw)s)") % {
            "score": piece.text,
            "raw": shown(raw) if isinstance(raw, Decimal) else raw,
        }
    if piece.kind is Kind.JUDGEMENT:
        return _judgement(piece)
    label = _code_label(piece) if piece.kind is Kind.ITEM else ""
    words = label or str(_WORDS.get(piece.text, piece.text))
    return f"{words} {unit_label(piece.unit)}".strip()


def _judgement(piece: Evidence) -> str:
    note = str(piece.parameters.get("note", ""))
    words = _("%(answer)s by %(by)s") % {
        "answer": _WORDS.get(piece.text, piece.text),
        "by": piece.name,
    }
    return f"{words}. {note}" if note else words


#: Plain codes of evidence.
_WORDS: dict[str, str | Promise] = {
    "yes": gettext_lazy("Yes"),
    "no": gettext_lazy("No"),
    "met": gettext_lazy("Applies"),
    "not_met": gettext_lazy("Does not apply"),
    "participant": gettext_lazy("Participant"),
    "representative": gettext_lazy("Legal representative"),
    "mild": pgettext_lazy("severity", "Mild"),
    "moderate": pgettext_lazy("severity", "Moderate"),
    "severe": pgettext_lazy("severity", "Severe"),
    "": "–",
}


def _code_label(piece: Evidence) -> str:
    """The recorded code in the present language."""
    known = items_by_oid().get(piece.name)
    return str(dict(known[1].choices).get(piece.text, "")) if known else ""


def _canonical(piece: Evidence) -> str:
    """The value in the protocol's unit, where that is another one."""
    if piece.canonical is None or piece.unit == piece.canonical_unit:
        return ""
    return f"{shown(piece.canonical)} {unit_label(piece.canonical_unit)}".strip()


def _part_value(part: Any) -> str:
    return f"{part.value or '–'} {unit_label(part.unit)}".strip()


def _number(value: Decimal | None) -> str:
    return "" if value is None else shown(value)
