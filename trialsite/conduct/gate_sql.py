"""How each enrolled subject stands before a gate: the one rule, for counts and for pages.

`study_facts` counts it over all sites for everybody; the page reads it row by row for
whoever sees every site.
"""

from __future__ import annotations

from trialsite.access.models import Site
from trialsite.casebook.models import (
    CrfRecord,
    RecordStatus,
    Subject,
    SubjectStatus,
    Visit,
    VisitMode,
    VisitStatus,
)

_SUBJECTS, _VISITS, _SITES, _RECORDS = (
    model._meta.db_table for model in (Subject, Visit, Site, CrfRecord)
)
_ENTERED = ", ".join(
    f"'{each.value}'" for each in (RecordStatus.IN_PROGRESS, RecordStatus.COMPLETE)
)
_ENROLLED = SubjectStatus.ENROLLED.value
_EVER = (SubjectStatus.ENROLLED, SubjectStatus.COMPLETED, SubjectStatus.WITHDRAWN,
         SubjectStatus.DIED)  # fmt: skip
_EVER_ENROLLED = ", ".join(f"'{each.value}'" for each in _EVER)


def gate_states(day: str, events: str, released: str) -> str:
    """The query of every enrolled subject's state before a gate; the arguments are SQL.

    Treated is who has a day zero. The day is reached on the site's calendar, alive: a
    partial date of death that may lie before it counts as before. Seen is who came to one of
    the events in person, with data entered of that visit: a telephone call, or a contact that
    stands for a missed visit, is no datum of the day. `with_data`, of a cohort
    gate, is dead or seen at one of the events. `cleared`, of a sentinel gate, is seen there
    with the day reached, or let pass by a signed review, or gone without any treatment;
    a death or a withdrawal alone clears nobody (decisions C7). `reviewable` is whom only a
    review can still let pass: gone, or past the day, and not seen.
    """
    return f"""
  SELECT f.*, f.treated AND NOT f.cleared AND (f.out OR f.past_day) AS reviewable
  FROM (
    SELECT e.id, e.treated, e.past_day, e.out,
      e.dead OR e.seen AS with_data,
      (e.reached AND e.seen) OR e.id = ANY ({released}) OR (e.out AND NOT e.treated) AS cleared
    FROM (
      SELECT s.id,
        s.day_zero IS NOT NULL AS treated,
        s.status = '{SubjectStatus.DIED.value}' OR s.died_on <> '' AS dead,
        s.status <> '{_ENROLLED}' OR s.died_on <> '' AS out,
        coalesce(s.day_zero + {day} <= (trialsite.now() AT TIME ZONE t.time_zone)::date, false)
          AS past_day,
        coalesce(s.day_zero + {day} <= (trialsite.now() AT TIME ZONE t.time_zone)::date, false)
          AND (s.died_on = ''
            OR s.died_on COLLATE "C" >= to_char(s.day_zero + {day}, 'YYYY-MM-DD') COLLATE "C")
          AS reached,
        EXISTS (
          SELECT 1 FROM public.{_VISITS} v
          WHERE v.subject_id = s.id AND v.status = '{VisitStatus.ATTENDED.value}'
            AND v.event_oid = ANY ({events})
            AND v.mode <> '{VisitMode.TELEPHONE.value}' AND v.stands_for_id IS NULL
            AND EXISTS (
              SELECT 1 FROM public.{_RECORDS} r
              WHERE r.visit_id = v.id AND r.voided_at IS NULL AND r.version > 0
                AND r.status IN ({_ENTERED}))) AS seen
      FROM public.{_SUBJECTS} s JOIN public.{_SITES} t ON t.id = s.site_id
      WHERE s.number IS NOT NULL AND s.status IN ({_EVER_ENROLLED})
    ) e
  ) f"""
