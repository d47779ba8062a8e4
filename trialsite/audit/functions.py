"""The trail's own SQL: who may not be silent, what is kept, what is refused."""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.audit.models import Event
from trialsite.core.catalog import Function, Grant, Policy, Protection, Table, Trigger
from trialsite.core.guards import APP, AUDIT, BACKUP, VAULT, protect

EVENTS = Event._meta.db_table

#: The values every event carries from the context of its transaction.
_COLUMNS = (
    """xid, at, trial_at, database_user, actor_id, system, role, channel, request_id, reason"""
)
_VALUES = """pg_current_xact_id()::text::bigint, clock_timestamp(), trialsite.now(), session_user,
    nullif(current_setting('trialsite.actor', true), '')::bigint,
    coalesce(current_setting('trialsite.system', true), ''),
    coalesce(current_setting('trialsite.role', true), ''),
    coalesce(current_setting('trialsite.channel', true), ''),
    nullif(current_setting('trialsite.request', true), '')::uuid,
    coalesce(current_setting('trialsite.reason', true), '')"""

_NEEDS_ACTOR = """
  IF coalesce(current_setting('trialsite.actor', true), '') = ''
     AND coalesce(current_setting('trialsite.system', true), '') = '' THEN
    RAISE EXCEPTION 'a change of % needs a context that says who', {what}
      USING ERRCODE = 'TS002';
  END IF;"""

#: A session that counts time elsewhere or writes dates otherwise leaves the same event.
_PLAIN = (("TimeZone", "UTC"), ("DateStyle", "ISO, MDY"), ("IntervalStyle", "iso_8601"))

#: Arguments: key column, site column, subject column, record column, secret columns.
RECORD_EVENT = Function(
    "record_event",
    returns="trigger",
    definer=True,
    owner=AUDIT,
    execute=(),
    settings=_PLAIN,
    source=f"""
DECLARE
  was jsonb;
  is_now jsonb;
  image jsonb;
  secret text;
BEGIN{_NEEDS_ACTOR.format(what="TG_TABLE_NAME")}
  IF TG_OP = 'INSERT' THEN
    is_now := to_jsonb(NEW);
    image := is_now;
  ELSIF TG_OP = 'DELETE' THEN
    was := to_jsonb(OLD);
    image := was;
  ELSE
    image := to_jsonb(NEW);
    SELECT jsonb_object_agg(b.key, b.value), jsonb_object_agg(a.key, a.value)
      INTO was, is_now
      FROM jsonb_each(image) a JOIN jsonb_each(to_jsonb(OLD)) b USING (key)
      WHERE a.value IS DISTINCT FROM b.value;
    IF is_now IS NULL THEN
      RETURN NULL;
    END IF;
    IF was ? TG_ARGV[0] THEN
      RAISE EXCEPTION 'the key of a row of % never changes', TG_TABLE_NAME USING ERRCODE = 'TS003';
    END IF;
  END IF;
  IF TG_ARGV[4] <> '' THEN
    FOREACH secret IN ARRAY string_to_array(TG_ARGV[4], ',') LOOP
      IF was ? secret THEN was := was || jsonb_build_object(secret, '(secret)'); END IF;
      IF is_now ? secret THEN is_now := is_now || jsonb_build_object(secret, '(secret)'); END IF;
    END LOOP;
  END IF;
  INSERT INTO public.{EVENTS} ({_COLUMNS}, operation, act, table_name, row_id,
    site_id, subject_id, record_id, old, new)
  VALUES ({_VALUES}, left(TG_OP, 1), '', TG_TABLE_NAME, image ->> TG_ARGV[0],
    (image ->> nullif(TG_ARGV[1], ''))::integer, (image ->> nullif(TG_ARGV[2], ''))::uuid,
    (image ->> nullif(TG_ARGV[3], ''))::uuid, was, is_now);
  RETURN NULL;
END
""",
)

#: Acts that change no row (a sign-in, an export, a refused access) enter by this one door.
NOTE_ACT = Function(
    "note_act",
    arguments="act text, site integer, subject uuid, record uuid, details jsonb",
    returns="bigint",
    definer=True,
    owner=AUDIT,
    execute=(APP, VAULT),
    settings=_PLAIN,
    source=f"""
DECLARE
  noted bigint;
BEGIN{_NEEDS_ACTOR.format(what="'the trail'")}
  IF coalesce(note_act.act, '') = '' THEN
    RAISE EXCEPTION 'an act needs its name' USING ERRCODE = 'TS003';
  END IF;
  INSERT INTO public.{EVENTS} ({_COLUMNS}, operation, act, table_name, row_id,
    site_id, subject_id, record_id, new)
  VALUES ({_VALUES}, 'A', note_act.act, '', '', note_act.site, note_act.subject,
    note_act.record, note_act.details)
  RETURNING eid INTO noted;
  RETURN noted;
END
""",
)

REFUSE_TRUNCATE = Function(
    "refuse_truncate",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  RAISE EXCEPTION 'TRUNCATE of % is refused', TG_TABLE_NAME USING ERRCODE = 'TS003';
END
""",
)

REFUSE_CHANGE = Function(
    "refuse_change",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  RAISE EXCEPTION '% of % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'TS003';
END
""",
)


@protect
def trail() -> Iterable[Protection]:
    yield from (RECORD_EVENT, NOTE_ACT, REFUSE_TRUNCATE, REFUSE_CHANGE)
    yield Table(EVENTS, row_security=True, owner=AUDIT, numbers=False)
    yield Grant(EVENTS, APP, ("SELECT",))
    yield Grant(EVENTS, BACKUP, ("SELECT",))
    yield Trigger(
        EVENTS, "no_truncate", "BEFORE TRUNCATE", "trialsite.refuse_truncate", each="STATEMENT"
    )
    yield Trigger(EVENTS, "append_only", "BEFORE DELETE OR UPDATE", "trialsite.refuse_change")
    yield Policy(EVENTS, "trail_writes", "INSERT", (AUDIT,), check="true")
    yield Policy(EVENTS, "trail_returns", "SELECT", (AUDIT,), using="true")
