"""The SQL functions on which row-level security and the clock stand."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.core.catalog import Function, Grant, Protection, Table
from trialsite.core.guards import APP, AUDIT, BACKUP, PUBLIC, VAULT, protect

NOW = Function(
    "now",
    returns="timestamptz",
    language="sql",
    execute=(APP, AUDIT, BACKUP, PUBLIC, VAULT),
    source="SELECT clock_timestamp() + "
    "coalesce((SELECT shift FROM public.trial_clock), '0'::interval)",
)

#: Raising beats returning nothing: a forgotten context must not look like an empty study.
SITES = Function(
    "sites",
    returns="integer[]",
    volatility="STABLE",
    execute=(APP, BACKUP, PUBLIC, VAULT),
    source="""
DECLARE
  sites text := current_setting('trialsite.sites', true);
BEGIN
  IF coalesce(sites, '') = '' THEN
    RAISE EXCEPTION 'protected data reached without a context' USING ERRCODE = 'TS001';
  END IF;
  RETURN sites::integer[];
END
""",
)


@protect
def clock_and_sites() -> Iterable[Protection]:
    yield NOW
    yield SITES
    yield Table("django_migrations", row_security=False)
    for role in (APP, BACKUP):
        yield Grant("django_migrations", role, ("SELECT",))
    yield Table("trial_clock", row_security=False)
    for role in (APP, AUDIT, PUBLIC, BACKUP, VAULT):
        yield Grant("trial_clock", role, ("SELECT",))
