"""What the protocol expects of samples, beside what there is; and what is missing where."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils.translation import get_language

from samples.models import (
    LIVE_ALIQUOTS,
    Aliquot,
    AliquotState,
    Destruction,
    NotCollected,
    Specimen,
    SpecimenState,
)
from samples.selectors.completing import outside_protocol, to_complete
from trialsite.access.models import Site
from trialsite.casebook.models import ProtocolVersion, Subject, Visit
from trialsite.casebook.protocols import event_of, protocol_of
from trialsite.casebook.protocols import visit_name as name_of_visit
from trialsite.protocol.samples import SpecimenDef


@dataclass(frozen=True, slots=True)
class Gaps:
    """A tube, what is to be said of it, and what was not as the protocol has it."""

    specimen: Specimen
    open: list[str]
    outside: list[str]


@dataclass(slots=True, kw_only=True)
class KindOfVisit:
    """One kind of specimen at one visit: expected, labelled, collected, frozen."""

    definition: SpecimenDef
    planned: bool
    optional: bool
    specimens: list[Specimen] = field(default_factory=list)
    statement: NotCollected | None = None
    #: The consent for samples had been withdrawn by the day of the visit: nothing is owed.
    withdrawn: bool = False
    aliquots: int = 0
    stored: int = 0

    @property
    def key(self) -> str:
        return self.definition.key

    @property
    def name(self) -> str:
        return self.definition.name.in_language(get_language() or "en")

    @property
    def tubes_least(self) -> int:
        return int(self.definition.tubes.low or 0)

    @property
    def tubes_most(self) -> int:
        return int(self.definition.tubes.high or 0)

    @property
    def tubes(self) -> str:
        """How many tubes the protocol plans."""
        if self.tubes_least == self.tubes_most:
            return str(self.tubes_least)
        return f"{self.tubes_least}–{self.tubes_most}"

    @property
    def labelled(self) -> int:
        return len(self.specimens)

    @property
    def collected(self) -> int:
        """Tubes that were filled, whatever became of them."""
        return sum(each.state != SpecimenState.PREPARED for each in self.specimens)

    @property
    def tubes_with_gaps(self) -> list[Gaps]:
        """Tubes of which something is to be completed, or was not as the protocol has it."""
        found = [Gaps(each, to_complete(each), outside_protocol(each)) for each in self.specimens]
        return [each for each in found if each.open or each.outside]

    @property
    def to_label(self) -> int:
        """How many tubes of the plan have no label yet."""
        return max(0, self.tubes_most - self.labelled)

    @property
    def is_missing(self) -> bool:
        """Planned, not all collected, and nobody has said why."""
        return (
            self.planned
            and not self.optional
            and self.statement is None
            and not self.withdrawn
            and self.collected < self.tubes_least
        )

    @property
    def is_done(self) -> bool:
        """Collected as planned, stated why not, or no longer to be collected."""
        accounted = self.collected > 0 or self.statement is not None or self.withdrawn
        return accounted and not self.is_missing


@dataclass(slots=True)
class SamplesOfVisit:
    """All kinds of one visit."""

    visit: Visit
    kinds: list[KindOfVisit]

    @property
    def expected(self) -> int:
        """Kinds that the protocol asks for."""
        return sum(each.planned and not each.optional for each in self.kinds)

    @property
    def done(self) -> int:
        return sum(each.planned and not each.optional and each.is_done for each in self.kinds)

    @property
    def missing(self) -> list[KindOfVisit]:
        return [each for each in self.kinds if each.is_missing]

    @property
    def specimens(self) -> list[Specimen]:
        return [specimen for kind in self.kinds for specimen in kind.specimens]


def samples_of_visits(visits: Collection[Visit]) -> dict[uuid.UUID, SamplesOfVisit]:
    """What was expected and what there is at each visit; four queries however many."""
    keys = [visit.pk for visit in visits]
    specimens: dict[uuid.UUID, list[Specimen]] = defaultdict(list)
    rows = Specimen.objects.standing().filter(visit__in=keys)
    for each in rows.select_related("visit", "site", "subject__site").order_by("code"):
        specimens[each.visit_id].append(each)
    statements: dict[tuple[uuid.UUID, str], NotCollected] = {
        (each.visit_id, each.kind): each
        for each in NotCollected.objects.standing().filter(visit__in=keys)
    }
    aliquots: dict[uuid.UUID, list[str]] = defaultdict(list)
    made = Aliquot.objects.filter(specimen__visit__in=keys, state__in=LIVE_ALIQUOTS)
    for specimen_id, state in made.values_list("specimen_id", "state"):
        aliquots[specimen_id].append(state)
    ended = withdrawn_since({visit.subject_id for visit in visits})
    found = {}
    for visit in visits:
        kinds = _planned(visit)
        for specimen in specimens[visit.pk]:
            kind = kinds.get(specimen.kind) or _beyond(visit, specimen.kind)
            kinds[specimen.kind] = kind
            kind.specimens.append(specimen)
            kind.aliquots += len(aliquots[specimen.pk])
            kind.stored += aliquots[specimen.pk].count(AliquotState.STORED)
        for key, kind in kinds.items():
            kind.statement = statements.get((visit.pk, key))
            kind.withdrawn = is_after_withdrawal(visit, ended.get(visit.subject_id))
        found[visit.pk] = SamplesOfVisit(visit, list(kinds.values()))
    return found


def withdrawn_since(subjects: Collection[uuid.UUID]) -> dict[uuid.UUID, dt.datetime]:
    """Since when the consent for samples of these participants is withdrawn, and stands so."""
    lists = Destruction.objects.standing().filter(subject__in=subjects)
    return dict(lists.order_by("-withdrawn_at").values_list("subject", "withdrawn_at"))


def is_after_withdrawal(visit: Visit, since: dt.datetime | None) -> bool:
    """Whether a visit took place on the day of the withdrawal or later."""
    if since is None or visit.attended_on is None:
        return False
    return visit.attended_on >= since.astimezone(ZoneInfo(visit.site.time_zone)).date()


def samples_of_visit(visit: Visit) -> SamplesOfVisit:
    """The same for one visit."""
    return samples_of_visits([visit])[visit.pk]


def _planned(visit: Visit) -> dict[str, KindOfVisit]:
    event, plan = event_of(visit), protocol_of(visit.protocol_version_id).samples
    if plan is None:
        return {}
    keys = [(key, False) for key in event.samples]
    keys += [(key, True) for key in event.optional_samples]
    return {
        key: KindOfVisit(definition=plan.specimen(key), planned=True, optional=optional)
        for key, optional in keys
    }


def _beyond(visit: Visit, kind: str) -> KindOfVisit:
    plan = protocol_of(visit.protocol_version_id).samples
    assert plan is not None
    return KindOfVisit(definition=plan.specimen(kind), planned=False, optional=True)


@dataclass(frozen=True, slots=True)
class MissingSample:
    """A planned kind of an attended visit that was not collected, without a reason."""

    visit: Visit
    name: str
    kind: str
    collected: int
    planned: int

    @property
    def visit_name(self) -> str:
        return name_of_visit(self.visit)


def missing_samples(
    sites: Iterable[int], *, kind: str = "", limit: int = 200, offset: int = 0
) -> list[MissingSample]:
    """The reconciliation list of these sites, the oldest visit first; found by the database.

    The caller names only sites whose casebooks the person may see.
    """
    own, plans = list(sites), _plans_of(kind)
    if not own or not plans:
        return []
    rows = _query_missing(
        own,
        plans,
        "SELECT m.visit, m.kind, m.least, m.collected FROM missing m "
        "ORDER BY m.attended_on, m.visit, m.kind LIMIT %s OFFSET %s",
        limit,
        offset,
    )
    visits = Visit.objects.select_related("subject__site", "site").in_bulk(
        {visit for visit, *_rest in rows}
    )
    return [
        MissingSample(visits[visit], _name(visits[visit], kind), kind, collected, planned)
        for visit, kind, planned, collected in rows
    ]


def missing_counts(sites: Iterable[int]) -> list[tuple[int, str, int]]:
    """How many planned kinds of visits are missing: site, kind of specimen, and their number."""
    own, plans = list(sites), plans_in_use()
    if not own or not plans:
        return []
    return _query_missing(
        own, plans, "SELECT m.site, m.kind, count(*) FROM missing m GROUP BY m.site, m.kind"
    )


def kind_names() -> dict[str, str]:
    """The kinds of specimen that protocol versions in use plan, as the protocol names them."""
    language = get_language() or "en"
    found: dict[str, str] = {}
    for version in _versions_in_use():
        plan = protocol_of(version).samples
        for each in plan.specimens if plan else ():
            found[each.key] = each.name.in_language(language)
    return found


def _plans_of(kind: str) -> list[tuple[int, str, str, int]]:
    return [plan for plan in plans_in_use() if kind in ("", plan[2])]


def missing_by_visit(visits: Collection[Visit]) -> dict[uuid.UUID, int]:
    """How many planned kinds of each visit are missing."""
    return {key: len(each.missing) for key, each in samples_of_visits(visits).items()}


def _name(visit: Visit, kind: str) -> str:
    plan = protocol_of(visit.protocol_version_id).samples
    assert plan is not None
    return plan.specimen(kind).name.in_language(get_language() or "en")


def _versions_in_use() -> list[int]:
    """Asked version by version: there are few of them, and very many visits."""
    used = Exists(Visit.objects.filter(protocol_version=OuterRef("pk")))
    return list(ProtocolVersion.objects.filter(used).order_by("pk").values_list("pk", flat=True))


def plans_in_use() -> list[tuple[int, str, str, int]]:
    """What each protocol version in use plans: version, event, kind, least number of tubes."""
    found = []
    for version in _versions_in_use():
        protocol = protocol_of(version)
        if protocol.samples is None:
            continue
        for event in protocol.schedule.events:
            for key in event.samples:
                least = int(protocol.samples.specimen(key).tubes.low or 0)
                found.append((version, event.oid, key, least))
    return found


def _query_missing(
    sites: list[int], plans: Sequence[tuple[int, str, str, int]], wanted: str, *more: int
) -> list[tuple[Any, ...]]:
    """A question to the planned kinds of attended visits that were not collected in full,
    each a row of `missing`; the tubes are counted once for all visits."""
    visits, specimens, statements, subjects, lists, places = (
        model._meta.db_table
        for model in (Visit, Specimen, NotCollected, Subject, Destruction, Site)
    )
    versions, events, kinds, least = (list(column) for column in zip(*plans, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH plan(version, event, kind, least) AS "
            f"(SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::integer[])), "
            f"filled AS (SELECT s.visit_id, s.kind, count(*) AS tubes FROM {specimens} s "
            f"WHERE s.site_id = ANY(%s) AND s.voided_at IS NULL AND s.state <> 'prepared' "
            f"GROUP BY s.visit_id, s.kind), "
            f"missing AS (SELECT v.id AS visit, v.site_id AS site, v.attended_on, p.kind, "
            f"p.least, coalesce(f.tubes, 0) AS collected "
            f"FROM {visits} v JOIN plan p ON p.version = v.protocol_version_id "
            f"AND p.event = v.event_oid "
            f"JOIN {subjects} u ON u.id = v.subject_id "
            f"LEFT JOIN filled f ON f.visit_id = v.id AND f.kind = p.kind "
            f"WHERE v.site_id = ANY(%s) AND v.status = 'attended' "
            f"AND coalesce(f.tubes, 0) < p.least "
            f"AND u.consent_state <> 'withdrawn' AND NOT EXISTS (SELECT 1 FROM {statements} n "
            f"WHERE n.visit_id = v.id AND n.kind = p.kind AND n.voided_at IS NULL) "
            # As `is_after_withdrawal` says.
            f"AND NOT EXISTS (SELECT 1 FROM {lists} d JOIN {places} t ON t.id = v.site_id "
            f"WHERE d.subject_id = v.subject_id AND d.lifted_at IS NULL "
            f"AND (d.withdrawn_at AT TIME ZONE t.time_zone)::date <= v.attended_on)) "
            f"{wanted}",
            [versions, events, kinds, least, sites, sites, *more],
        )
        return list(cursor.fetchall())
