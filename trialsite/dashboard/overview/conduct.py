"""How the study is carried out: the flow, screening, visits, sessions, samples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Min
from django.utils.functional import Promise

from samples.selectors.plan import kind_names, missing_counts
from screening.models.eligibility import CriterionState
from screening.models.log import Reason
from trialsite.casebook.models import Visit
from trialsite.dashboard.compliance import Kept, Line, blocks_of, lines_of
from trialsite.dashboard.overview import rows
from trialsite.dashboard.overview.flow import PARTS, Box, Flow, Part, Stand, flow_of
from trialsite.dashboard.overview.scope import Number, Tally
from trialsite.dashboard.overview.sources import (
    LAST_BAND,
    Median,
    complications,
    sessions,
    verdicts,
)
from trialsite.dashboard.overview.words import band_word, criteria_of
from visits.models.session_codes import ComplicationCode, ComplicationSeverity, StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowBox:
    """A box of the diagram, with what leaves the way there and what goes on."""

    title: str | Promise
    number: Number
    sites: list[Number]
    beside: list[FlowBox]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A reason of screen failures, with the verdicts on the criterion if it is one."""

    code: str
    text: str
    failed: Number
    verdicts: list[Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """The flow and why screening failed."""

    boxes: list[FlowBox]
    ends: list[FlowBox]
    failures: list[Failure]
    voided: Number


def screening_of(tally: Tally) -> Screening:
    """The section of the flow; two queries."""
    scope = tally.scope
    found = flow_of(scope.keys)
    trunk = (Box.CONSIDERED, Box.CONSENTED, Box.SCREENED, Box.ENROLLED, Box.TREATED)
    return Screening(
        boxes=[_box(tally, found, box) for box in trunk],
        ends=[_part(tally, found, each) for each in PARTS[Box.TREATED]],
        failures=_failures(tally, found),
        voided=_number(tally, found, Stand.VOIDED),
    )


def _number(tally: Tally, found: Flow, part: Part) -> Number:
    return tally.number("flow", found.of(part), part=part.value, label=str(part.label))


def _part(tally: Tally, found: Flow, part: Part) -> FlowBox:
    return FlowBox(
        title=part.label,
        number=_number(tally, found, part),
        sites=tally.by_site("flow", found.by_site(part), part=part.value, label=str(part.label)),
        beside=[_part(tally, found, each) for each in PARTS[part]]
        if isinstance(part, Box) and part is Box.NEVER_TREATED
        else [],
    )


def _box(tally: Tally, found: Flow, box: Box) -> FlowBox:
    beside = [] if box is Box.TREATED else [part for part in PARTS[box] if _leaves(part)]
    return FlowBox(
        title=box.label,
        number=_number(tally, found, box),
        sites=tally.by_site("flow", found.by_site(box), part=box.value, label=str(box.label)),
        beside=[_part(tally, found, part) for part in beside],
    )


def _leaves(part: Part) -> bool:
    return isinstance(part, Stand) or part is Box.NEVER_TREATED


#: What a verdict may say, in the order of the columns.
STATES = (CriterionState.MET, CriterionState.NOT_MET, CriterionState.NOT_YET_KNOWN)


def _failures(tally: Tally, found: Flow) -> list[Failure]:
    """Every criterion in the protocol's order with its verdicts; then the other reasons."""
    counted: Counter[tuple[str, str]] = Counter()
    rows_ = verdicts(tally.scope.keys).order_by().values_list("criterion", "state")
    for criterion, state, count in rows_.annotate(n=Count("pk")):
        counted[criterion, state] = count
    words = criteria_of()
    known = [*words, *sorted({code for code, _state in counted} | found.criteria - {*words})]
    criteria = list(dict.fromkeys(code for code in known if code not in Reason.values))
    others = [reason for reason in Reason if reason.value in found.failed_by]
    return [
        *(_failure(tally, found, code, words.get(code, ""), counted) for code in criteria),
        *(_failure(tally, found, each.value, str(each.label), None) for each in others),
    ]


def _failure(
    tally: Tally, found: Flow, code: str, text: str, counted: Counter[tuple[str, str]] | None
) -> Failure:
    label = code if counted is not None else text
    failed = sum(found.failed_by.get(code, {}).values())
    return Failure(
        code=code if counted is not None else "",
        text=text,
        failed=tally.number("failed_by", failed, part=code, label=label),
        verdicts=[]
        if counted is None
        else [
            tally.number(
                "verdicts",
                counted[code, state],
                part=f"{code}.{state.value}",
                label=f"{code}: {state.label}",
            )
            for state in STATES
        ],
    )


# Visits


#: The counts of a line, in the order of the columns.
VISIT_STATES = ("due", Kept.IN_WINDOW, Kept.OUT_OF_WINDOW, Kept.MISSED, Kept.OVERDUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitLine:
    """The visits of one site, or of all."""

    name: str
    site: str
    numbers: list[Number]
    waiting: Number
    percent: Decimal | None
    within: int
    due: int


def visits_of(tally: Tally) -> list[VisitLine]:
    """All sites together, then each; the counts of the page of window compliance."""
    scope = tally.scope
    visits = Visit.objects.at(scope.keys)
    blocks = blocks_of(lines_of(visits, now=scope.now, sites=scope.sites))
    return [_visit_line(tally, block.sum) for block in blocks]


def _visit_line(tally: Tally, line: Line) -> VisitLine:
    code = line.site.code if line.site else ""
    figures = line.figures

    def number(state: str) -> Number:
        count = figures.due if state == "due" else figures.counts[state]
        label = state if state == "due" else str(Kept(state).label)
        return tally.number("visits", count, part=str(state), site=code, label=label)

    return VisitLine(
        name=str(line.site or ""),
        site=code,
        numbers=[number(state) for state in VISIT_STATES],
        waiting=number(Kept.NOT_YET_DUE),
        percent=figures.percent,
        within=figures.counts[Kept.IN_WINDOW],
        due=figures.due,
    )


# Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of the distribution."""

    word: str
    number: Number
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A count with its name."""

    name: str
    number: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """One kind of complication: all of it, and by severity."""

    name: str
    all: Number
    severities: list[Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """The sessions, how long the circuit ran, how they ended, what went wrong."""

    started: Number
    sites: list[Number]
    running: Number
    early: Number
    bars: list[Bar]
    median: Decimal | None
    shortest: Decimal | None
    longest: Decimal | None
    stops: list[Named]
    harms: list[Harm]
    harm: Number


def treatment_of(tally: Tally) -> Treatment:
    """The section of the sessions; three queries, however many there were."""
    keys = tally.scope.keys
    counted: Counter[tuple[str, str, int | None]] = Counter()
    grouped = sessions(keys).order_by().values_list("site__code", "stop_reason", "band")
    for code, stop, band, count in grouped.annotate(n=Count("pk")):
        counted[code, stop, band] = count
    stops: Counter[str] = Counter()
    bands: Counter[int] = Counter()
    sites: Counter[str] = Counter()
    for (code, stop, band), count in counted.items():
        stops[stop] += count
        sites[code] += count
        if band is not None:
            bands[band] += count
    spread = sessions(keys).aggregate(
        median=Median("effective"), shortest=Min("effective"), longest=Max("effective")
    )
    harms, harm = _harms(tally)
    early = stops.total() - stops[""] - stops[StopReason.COMPLETED]
    return Treatment(
        started=tally.number("sessions", stops.total(), part=rows.ALL),
        sites=tally.by_site("sessions", sites, part=rows.ALL),
        running=tally.number("sessions", stops[""], part=rows.RUNNING),
        early=tally.number("sessions", early, part=rows.EARLY),
        bars=list(_bars(tally, bands)),
        stops=[
            Named(
                name=str(reason.label),
                number=tally.number(
                    "sessions", stops[reason], part=reason.value, label=str(reason.label)
                ),
            )
            for reason in sorted(StopReason, key=lambda each: -stops[each])
            if stops[reason]
        ],
        harms=harms,
        harm=harm,
        **{name: _tenth(value) for name, value in spread.items()},
    )


def _tenth(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value)).quantize(Decimal("0.1"))


def _bars(tally: Tally, bands: Counter[int]) -> Iterable[Bar]:
    most = max(bands.values(), default=0)
    for band in range(LAST_BAND + 1) if most else ():
        word = band_word(band)
        number = tally.number("effective", bands[band], part=str(band), label=word)
        yield Bar(word=word, number=number, share=100 * bands[band] // most)


def _harms(tally: Tally) -> tuple[list[Harm], Number]:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    found = complications(tally.scope.keys).order_by().values_list("code", "severity")
    for code, severity, count in found.annotate(n=Count("pk")):
        counted[code][severity or ""] += count
    every = sum(of.total() for of in counted.values())
    return [
        _harm(tally, ComplicationCode(code), of)
        for code, of in sorted(counted.items(), key=lambda each: (-each[1].total(), each[0]))
    ], tally.number("complications", every)


def _harm(tally: Tally, code: ComplicationCode, of: Counter[str]) -> Harm:
    name = str(code.label)
    return Harm(
        name=name,
        all=tally.number("complications", of.total(), part=code.value, label=name),
        severities=[
            tally.number(
                "complications",
                of[each],
                part=f"{code.value}.{each.value}",
                label=f"{name}: {each.label}",
            )
            for each in ComplicationSeverity
        ],
    )


# Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLine:
    """One kind of specimen that is missing somewhere."""

    name: str
    all: Number
    sites: list[Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What the reconciliation of samples would list as missing."""

    all: Number
    sites: list[Number]
    kinds: list[SampleLine]


def samples_of(tally: Tally) -> Samples:
    """The section of the samples."""
    codes = {site.pk: site.code for site in tally.scope.sites}
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for site, kind, count in missing_counts(tally.scope.keys):
        counted[kind][codes[site]] += count
    every: Counter[str] = Counter()
    for of in counted.values():
        every.update(of)
    names = kind_names() if counted else {}
    return Samples(
        all=tally.number("samples", every.total()),
        sites=tally.by_site("samples", every),
        kinds=[
            SampleLine(
                name=names.get(kind, kind),
                all=tally.number("samples", of.total(), part=kind, label=names.get(kind, kind)),
                sites=tally.by_site("samples", of, part=kind, label=names.get(kind, kind)),
            )
            for kind, of in sorted(counted.items(), key=lambda each: (-each[1].total(), each[0]))
        ],
    )
