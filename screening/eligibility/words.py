"""What the engine says, for people: codes and parameters in the person's language.

Names of analytes, criteria and protocol values come from the protocol; names of items and
allergens are handed in by whoever owns the forms.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from trialsite.core.units import unit_label
from trialsite.protocol import Protocol

from .verdicts import Evidence, Flag, Kind, Missing, Need, Outcome, Reason, State, Verdict, Why

OUTCOMES = {
    Outcome.ELIGIBLE: gettext_lazy("Eligible"),
    Outcome.INELIGIBLE: gettext_lazy("Not eligible"),
    Outcome.NOT_YET_KNOWN: gettext_lazy("Not yet known"),
}

#: An exclusion criterion that is met excludes; "met" alone would be read the wrong way.
STATES = {
    (True, State.MET): gettext_lazy("Met"),
    (True, State.NOT_MET): gettext_lazy("Not met"),
    (True, State.NOT_YET_KNOWN): gettext_lazy("Not yet known"),
    (False, State.MET): gettext_lazy("Excluded"),
    (False, State.NOT_MET): gettext_lazy("Not excluded"),
    (False, State.NOT_YET_KNOWN): gettext_lazy("Not yet known"),
}

FLAGS = {
    Flag.AT_BOUNDARY: gettext_lazy("at the boundary: the principal investigator must sign"),
    Flag.CENSORED: gettext_lazy("known only as a limit"),
    Flag.CONFLICTING: gettext_lazy("contradictory values"),
    Flag.CROSS_LAB: gettext_lazy("results of different laboratories"),
    Flag.DISCORDANT: gettext_lazy("discordant: one in range, one out"),
    Flag.INCOMPLETE_FORM: gettext_lazy("form not complete"),
    Flag.PARTIAL_DATE: gettext_lazy("date not fully known"),
    Flag.POST_PURIFICATION: gettext_lazy("drawn soon after a purification"),
    Flag.PROMPT: gettext_lazy("look again"),
    Flag.ROUTINE_CARE: gettext_lazy("routine care"),
    Flag.STALE: gettext_lazy("older than an eligibility result may be"),
    Flag.UNCONFIRMED_ASSUMPTION: gettext_lazy("rests on an unconfirmed assumption"),
}

SET_ASIDE = {
    Why.AFTER_DAY_ZERO: gettext_lazy("after day zero"),
    Why.CONFLICTING: gettext_lazy("contradictory values"),
    Why.FORM_INCOMPLETE: gettext_lazy("form not complete"),
    Why.NO_RANGE: gettext_lazy("no reference range of the laboratory"),
    Why.NOT_DECIDING: gettext_lazy("not one of the substances concerned"),
    Why.OTHER_LABORATORY: gettext_lazy("another laboratory"),
    Why.POST_PURIFICATION: gettext_lazy("drawn soon after a purification"),
    Why.RESULT_MISSING: gettext_lazy("no result"),
    Why.SHOWN_ONLY: gettext_lazy("for information"),
    Why.STALE: gettext_lazy("older than an eligibility result may be"),
    Why.UNIT_UNKNOWN: gettext_lazy("unit not known to the protocol"),
}

REASONS = {
    "age_outside": gettext_lazy("%(age)s years on %(on)s, outside %(lower)s to %(upper)s."),
    "age_within": gettext_lazy("%(age)s years on %(on)s, within %(lower)s to %(upper)s."),
    "above_limit": gettext_lazy(
        "%(analyte)s %(value)s is above %(times)s × the upper limit %(limit)s of %(laboratory)s."
    ),
    "assumption_open": gettext_lazy(
        "The verdict rests on a value that is not confirmed. As written: %(written)s"
    ),
    "consent_by_another": gettext_lazy(
        "Consent was given by a representative, not by the participant."
    ),
    "consent_not_in_force": gettext_lazy("The consent of %(given_on)s is not in force."),
    "grade_accepted": gettext_lazy("Grade %(grade)s, accepted up to %(highest)s."),
    "grade_too_high": gettext_lazy("Grade %(grade)s, accepted only up to %(highest)s."),
    "in_range": gettext_lazy("%(analyte)s %(value)s is within %(lower)s to %(upper)s."),
    "judged_met": gettext_lazy("%(by)s answered on %(at)s: applies."),
    "judged_not_met": gettext_lazy("%(by)s answered on %(at)s: does not apply."),
    "level_reached": gettext_lazy("%(analyte)s %(value)s (%(canonical)s) reaches %(threshold)s."),
    "neither_level_nor_rise": gettext_lazy(
        "%(analyte)s %(value)s does not reach %(threshold)s, and the "
        "rise of %(rise)s per day in %(hours)s h does not reach %(rise_threshold)s."
    ),
    "no_severe_allergy": gettext_lazy("No severe allergy to: %(agents)s."),
    "none_above_limit": gettext_lazy("None is above the laboratory's upper limit: %(results)s."),
    "none_in_range": gettext_lazy("None is in its range: %(results)s."),
    "not_enough": gettext_lazy("Something is still missing."),
    "own_consent": gettext_lazy("The participant signed version %(version)s on %(given_on)s."),
    "rise_reached": gettext_lazy(
        "%(analyte)s rises by %(rise)s per day over %(hours)s h; %(rise_threshold)s is reached."
    ),
    "score_above": gettext_lazy(
        "%(score)s is %(displayed)s (version %(version)s, computed %(raw)s), above %(threshold)s."
    ),
    "score_not_above": gettext_lazy(
        "%(score)s is %(displayed)s (version %(version)s, computed %(raw)s), "
        "not above %(threshold)s."
    ),
    "severe_allergy": gettext_lazy("Severe allergy to: %(agents)s."),
}

NEEDS = {
    Need.AETIOLOGY: gettext_lazy("Record the cause of the liver failure."),
    Need.ALLERGIES: gettext_lazy("Ask about allergies and complete the form."),
    Need.ALLERGY_SEVERITY: gettext_lazy("Grade the allergy to %(name)s."),
    Need.BIRTH_DATE: gettext_lazy("Record the date of birth as exactly as it is known."),
    Need.CONFIRMATION: gettext_lazy("The principal investigator must confirm: %(name)s."),
    Need.CONSENT: gettext_lazy("Obtain the participant's consent."),
    Need.DIALYSIS: gettext_lazy("Record whether the person is on dialysis."),
    Need.EXACT_RESULT: gettext_lazy("%(name)s: obtain an exact result, a limit does not decide."),
    Need.FORM_COMPLETION: gettext_lazy("Complete the form with: %(name)s."),
    Need.FRESH_RESULT: gettext_lazy("%(name)s: draw again, what there is may not be used."),
    Need.ITEM: gettext_lazy("Record: %(name)s."),
    Need.JUDGEMENT: gettext_lazy("The investigator must answer: %(name)s."),
    Need.ONE_RESULT: gettext_lazy("%(name)s: clear up the contradictory values."),
    Need.RANGE: gettext_lazy("%(name)s: enter the reference range of laboratory %(laboratory)s."),
    Need.RESULT: gettext_lazy("%(name)s: no result yet."),
    Need.SCORE: gettext_lazy("%(name)s cannot be computed here."),
    Need.SECOND_DRAW: gettext_lazy(
        "%(name)s: a second draw by laboratory %(laboratory)s, at least %(hours)s h from the first."
    ),
    Need.SEX: gettext_lazy("Record the sex."),
}

VERSIONS = {
    "aetiology": gettext_lazy("with aetiology"),
    "meld_3_0": "3.0",
    "meld_na_2016": gettext_lazy("Na, 2016"),
    "unos": "UNOS",
}

NOT_COMPUTED = {
    "censored": gettext_lazy("an input is known only as a limit"),
    "missing": gettext_lazy("an input is missing"),
    "not_applicable": gettext_lazy("not applicable"),
    "undefined": gettext_lazy("not defined for these inputs"),
}

_SHOWN = Decimal("0.01")
_ANALYTES = {"analyte"}
#: Numbers and where their unit stands; the two are said together.
_UNITS = {
    "value": "unit",
    "canonical": "canonical_unit",
    "threshold": "threshold_unit",
    "upper": "range_unit",
    "rise_threshold": "rise_unit",
}
_CUT = {"raw", "rise", "canonical"}


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says verdicts of one protocol in the current language.

    `names` are item OIDs and allergens in that language, `zone` is where the clock hangs.
    """

    protocol: Protocol
    names: Mapping[str, str] = field(default_factory=dict)
    zone: dt.tzinfo | None = None

    def state(self, verdict: Verdict) -> str:
        """Met, not met, excluded, not excluded, not yet known."""
        return str(STATES[verdict.inclusion, verdict.state])

    def headline(self, verdict: Verdict) -> str:
        """The state with the value that decided, such as "Excluded, 31"."""
        value = self.deciding_value(verdict)
        state = self.state(verdict)
        return _("%(state)s, %(value)s") % {"state": state, "value": value} if value else state

    def deciding_value(self, verdict: Verdict) -> str:
        """The one value that decided, with its unit; empty where no single one did."""
        if verdict.state is State.NOT_YET_KNOWN:
            return ""
        told = self._parameters(verdict.reason)
        if verdict.reason.code == "rise_reached":
            return f"{told['rise']} {told['rise_unit']}/d"
        for name in ("displayed", "age", "grade"):
            if name in told:
                return told[name]
        return told.get("value", "")

    def reason(self, verdict: Verdict) -> str:
        """Why the verdict is what it is, naming value, threshold and version."""
        written = self._said(verdict.written)
        if verdict.reason == verdict.written:
            return written
        return str(REASONS[verdict.reason.code]) % {"written": written}

    def missing(self, need: Missing) -> str:
        """What to do next."""
        told = {name: self._value(name, value) for name, value in need.parameters.items()}
        return str(NEEDS[need.need]) % {**told, "name": self._name(need)}

    def flag(self, flag: Flag) -> str:
        return str(FLAGS[flag])

    def set_aside(self, piece: Evidence) -> str:
        """Why a value was not used; empty where it was."""
        return str(SET_ASIDE[piece.why]) if piece.why else ""

    def evidence(self, piece: Evidence) -> str:
        """The name of a piece of evidence."""
        match piece.kind:
            case Kind.LAB:
                return self.analyte(piece.name)
            case Kind.RISE:
                return _("%(analyte)s, rise per day") % {"analyte": self.analyte(piece.name)}
            case Kind.SCORE:
                version = self.version(str(piece.parameters["version"]))
                return f"{piece.name} ({version})"
            case Kind.ITEM | Kind.ALLERGY:
                return self.names.get(piece.name, piece.name)
        return str(_KINDS[piece.kind])

    def not_computed(self, piece: Evidence) -> str:
        """Why a version of a score has no value; empty where it has one."""
        code = str(piece.parameters.get("not_computed", ""))
        return str(NOT_COMPUTED[code]) if code else ""

    def analyte(self, key: str) -> str:
        try:
            return self.protocol.labs.analyte(key).name.in_language(get_language() or "en")
        except LookupError:
            return key

    def version(self, code: str) -> str:
        return str(VERSIONS.get(code, code))

    def label(self, path: str) -> str:
        """What the value at a path of the protocol is called, and what it is."""
        leaf = self.protocol.provenance.leaves[path]
        return f"{leaf.label.in_language(get_language() or 'en')} = {leaf.value}"

    def _name(self, need: Missing) -> str:
        match need.need:
            case Need.CONFIRMATION:
                return self.label(need.name)
            case Need.JUDGEMENT:
                text = self.protocol.criterion(need.name).text
                return text.in_language(get_language() or "en")
            case Need.ITEM | Need.FORM_COMPLETION | Need.ALLERGY_SEVERITY:
                return self.names.get(need.name, need.name)
        return self.names.get(need.name) or self.analyte(need.name)

    def _said(self, reason: Reason) -> str:
        return str(REASONS[reason.code]) % self._parameters(reason)

    def _parameters(self, reason: Reason) -> dict[str, str]:
        told = {name: self._value(name, value) for name, value in reason.parameters.items()}
        for number, unit in _UNITS.items():
            if unit in told:
                told[number] = f"{told[number]} {told[unit]}".strip()
        if "values" in reason.parameters:
            told["results"] = self._results(reason)
        return told

    def _results(self, reason: Reason) -> str:
        columns = [reason.parameters[name] for name in ("analytes", "values", "units")]
        rows = zip(*(column for column in columns if isinstance(column, tuple)), strict=True)
        return ", ".join(
            f"{self.analyte(analyte)} {value} {unit_label(unit)}".strip()
            for analyte, value, unit in rows
        )

    def _value(self, name: str, value: object) -> str:
        if isinstance(value, Decimal):
            return shown(value) if name in _CUT else _plain(value)
        if isinstance(value, tuple):
            return ", ".join(self.names.get(one, one) for one in value)
        if isinstance(value, dt.datetime):
            return value.astimezone(self.zone or value.tzinfo).strftime("%Y-%m-%d %H:%M")
        return self._word(name, str(value))

    def _word(self, name: str, value: str) -> str:
        if name in _ANALYTES:
            return self.analyte(value)
        if name in _UNITS.values():
            return unit_label(value)
        return self.version(value) if name == "version" else value or "–"


def shown(value: Decimal) -> str:
    """Two decimals, cut and not rounded: what is shown never reaches what was not reached."""
    return _plain(value.quantize(_SHOWN, ROUND_FLOOR))


_KINDS = {
    Kind.AGE: gettext_lazy("Age"),
    Kind.CONSENT: gettext_lazy("Consent"),
    Kind.JUDGEMENT: gettext_lazy("Investigator's answer"),
}


def _plain(value: Decimal) -> str:
    """Without an exponent or needless zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
