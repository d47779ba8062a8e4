"""Window compliance as a dataset: one row for each site and event, as of the export."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.access.models import Site
from trialsite.casebook.models import Visit
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

VISITS, SITES = (model._meta.db_table for model in (Visit, Site))

#: Windows are kept half open: their upper end is the day after the last (decisions D10).
_OUTSIDE = (
    "CASE WHEN v.status <> 'attended' THEN 0 "
    'WHEN v.attended_on < lower(v."window") THEN v.attended_on - lower(v."window") '
    'WHEN v.attended_on >= upper(v."window") THEN v.attended_on - upper(v."window") + 1 '
    "ELSE 0 END"
)
_OPEN = "v.status IN ('planned', 'open')"
_SOURCE = f"""(
  SELECT c.site_id, c.event_oid, min(c.visit_number) AS place,
    count(*) FILTER (WHERE c.due) AS due,
    count(*) FILTER (WHERE c.status = 'attended' AND c.outside = 0) AS in_window,
    count(*) FILTER (WHERE c.outside <> 0) AS out_of_window,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(c.outside))
      FILTER (WHERE c.outside <> 0) AS median,
    (array_agg(c.outside ORDER BY abs(c.outside) DESC, c.outside DESC)
      FILTER (WHERE c.outside <> 0))[1] AS farthest,
    count(*) FILTER (WHERE c.status = 'missed') AS missed,
    count(*) FILTER (WHERE c.open AND c.past) AS overdue,
    count(*) FILTER (WHERE c.open AND NOT c.past) AS not_yet_due,
    count(*) FILTER (WHERE c.status = 'not_required') AS not_required
  FROM (
    SELECT v.site_id, v.event_oid, v.visit_number, v.status, {_OUTSIDE} AS outside,
      {_OPEN} AS open, p.past,
      v.status IN ('attended', 'missed') OR ({_OPEN} AND p.past) AS due
    FROM {VISITS} v JOIN {SITES} z ON z.id = v.site_id
      CROSS JOIN LATERAL (
        SELECT upper(v."window") <= (trialsite.now() AT TIME ZONE z.time_zone)::date AS past
      ) p
    WHERE v."window" IS NOT NULL
  ) c
  GROUP BY c.site_id, c.event_oid
) k JOIN {SITES} t ON t.id = k.site_id"""


@register_datasets
def compliance() -> list[Dataset]:
    counts = (
        ("DUE", "k.due", _("Due")),
        ("INWINDOW", "k.in_window", _("In the window")),
        ("OUTWINDOW", "k.out_of_window", _("Out of the window")),
        ("MISSED", "k.missed", _("Missed")),
        ("OVERDUE", "k.overdue", _("Overdue")),
        ("NOTYETDUE", "k.not_yet_due", _("Not yet due")),
        ("NOTREQUIRED", "k.not_required", _("Not required")),
    )
    percent = "round(100.0 * k.in_window / nullif(k.due, 0), 1)"
    return [
        Dataset(
            name="compliance",
            title=_("Window compliance"),
            columns=(
                Column(name="SITEID", sql="t.code", label=_("Site"), sdtm="DM.SITEID"),
                Column(name="STUDYEVENT", sql="k.event_oid", label=_("Study event")),
                *(
                    Column(name=name, sql=sql, label=label, kind=Kind.INTEGER)
                    for name, sql, label in counts
                ),
                Column(
                    name="DAYSOUTMEDIAN",
                    sql="trim_scale(k.median::numeric)",
                    label=_("Days out of the window, median"),
                    kind=Kind.FLOAT,
                ),
                Column(
                    name="DAYSOUTFARTHEST",
                    sql="k.farthest",
                    label=_("Days out of the window, farthest (late +, early -)"),
                    kind=Kind.INTEGER,
                ),
                Column(
                    name="PERCENT",
                    sql=percent,
                    label=_("In the window, % of due"),
                    kind=Kind.FLOAT,
                ),
            ),
            source=_SOURCE,
            site="k.site_id",
            order='t.code COLLATE "C", k.place, k.event_oid COLLATE "C"',
        )
    ]
