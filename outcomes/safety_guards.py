"""What the database may tell of all sites so that a safety rule can judge: counts only.

Both functions see every site for their one query and put the caller's sites back, as
`study_facts` of conduct does (decisions D6). Their numbers decide holds for everybody and
are shown only to whoever sees every site.
"""

from __future__ import annotations

from collections.abc import Iterable

from outcomes.models import AdverseEvent, AdverseEventGrade
from outcomes.models.codes import RELATED, Grade, Outcome
from trialsite.access.models import Site
from trialsite.casebook.models import CrfRecord
from trialsite.core.catalog import Function, Protection
from trialsite.core.guards import APP, protect
from visits.models import TreatmentSession

EVENTS, GRADES, RECORDS, SITES, SESSIONS = (
    model._meta.db_table
    for model in (AdverseEvent, AdverseEventGrade, CrfRecord, Site, TreatmentSession)
)

_RELATED = ", ".join(f"'{each.value}'" for each in RELATED)
_IS_RELATED = (
    f"(e.related_cells IN ({_RELATED}) OR e.related_circuit IN ({_RELATED}) "
    f"OR e.related_anticoagulant IN ({_RELATED}))"
)
#: The same as `selectors.safety.judged_grades`: a death or a threat to life without its grade,
#: and the worst of the event's rows of grades.
_GRADE = (
    f"greatest((SELECT max(w.grade) FROM public.{GRADES} w "
    "WHERE w.record_id = e.record_id AND w.voided_at IS NULL), "
    f"CASE WHEN e.outcome = '{Outcome.FATAL.value}' OR e.results_in_death "
    f"THEN {Grade.DEATH.value} WHEN e.life_threatening "
    f"THEN greatest(e.grade, {Grade.LIFE_THREATENING.value}) ELSE coalesce(e.grade, 0) END)"
)
_STANDING = f"public.{EVENTS} e JOIN public.{RECORDS} r ON r.id = e.record_id"

_WIDEN = f"""
  PERFORM set_config('trialsite.sites',
    coalesce((SELECT array_agg(t.id)::text FROM public.{SITES} t), '{{}}'), true);"""
_NARROW = """
  PERFORM set_config('trialsite.sites', callers, true);
  RETURN found;
END
"""
_DECLARE = """
DECLARE
  found integer[];
  callers text := trialsite.sites()::text;
BEGIN"""

#: Subjects treated; of the first `among` of them, the standing adverse events that are
#: serious, related and of that grade at least; whether a subject is one of those first.
RELATED_SERIOUS = Function(
    "related_serious",
    arguments="among integer, grade integer, subject uuid",
    returns="integer[]",
    definer=True,
    execute=(APP,),
    source=f"""{_DECLARE}{_WIDEN}
  WITH treated AS (
    SELECT x.subject_id, min(x.started_at AT TIME ZONE x.time_zone) AS first
    FROM public.{SESSIONS} x WHERE x.voided_at IS NULL AND x.started_at IS NOT NULL
    GROUP BY x.subject_id
  ), early AS (
    SELECT t.subject_id FROM treated t ORDER BY t.first, t.subject_id
    LIMIT related_serious.among
  )
  SELECT ARRAY[
      (SELECT count(*) FROM treated),
      (SELECT count(*) FROM {_STANDING}
       WHERE r.voided_at IS NULL AND e.serious AND {_GRADE} >= related_serious.grade
         AND {_IS_RELATED}
         AND e.subject_id IN (SELECT y.subject_id FROM early y)),
      (SELECT count(*) FROM early y WHERE y.subject_id = related_serious.subject)
    ]::integer[] INTO found;{_NARROW}""",
)

#: Subjects treated; those with the event, or whose days after the last session are over;
#: those with the event. A partial date counts where it may lie within the days: a safety
#: rule does not wait for the exact day, nor for an onset that is not entered yet.
TOXICITIES = Function(
    "toxicities",
    arguments="grade integer, related boolean, days integer",
    returns="integer[]",
    definer=True,
    execute=(APP,),
    source=f"""{_DECLARE}{_WIDEN}
  WITH started AS (
    SELECT x.subject_id, x.started_at::date AS day, x.time_zone
    FROM public.{SESSIONS} x WHERE x.voided_at IS NULL AND x.started_at IS NOT NULL
  ), dated AS (
    SELECT e.subject_id, left(e.started_on || '-01-01', 10)::date AS earliest,
      (left(e.started_on || '-01-01', 10)::date + CASE length(e.started_on)
        WHEN 4 THEN interval '1 year' WHEN 7 THEN interval '1 month'
        ELSE interval '1 day' END)::date - 1 AS latest
    FROM {_STANDING}
    WHERE r.voided_at IS NULL AND {_GRADE} >= toxicities.grade
      AND (NOT toxicities.related OR {_IS_RELATED})
  ), affected AS (
    SELECT DISTINCT s.subject_id FROM started s JOIN dated e ON e.subject_id = s.subject_id
    WHERE e.earliest IS NULL
      OR (e.latest >= s.day AND e.earliest <= s.day + toxicities.days)
  ), treated AS (
    SELECT s.subject_id,
      bool_and(s.day + toxicities.days < (trialsite.now() AT TIME ZONE s.time_zone)::date) AS over
    FROM started s GROUP BY s.subject_id
  )
  SELECT ARRAY[
      count(*),
      count(*) FILTER (WHERE t.over OR a.subject_id IS NOT NULL),
      count(a.subject_id)
    ]::integer[] INTO found
  FROM treated t LEFT JOIN affected a ON a.subject_id = t.subject_id;{_NARROW}""",
)


@protect
def safety() -> Iterable[Protection]:
    yield RELATED_SERIOUS
    yield TOXICITIES
