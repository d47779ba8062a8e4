"""The casebook's rules that no road into the database can pass by.

A row can never sit in another site than its subject; nothing is entered into what is
locked, voided or withdrawn; completed data change only with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable

from trialsite.audit.models import Event
from trialsite.casebook.models import Attachment, CrfRecord, ScheduleClosing, Subject, Visit
from trialsite.core.catalog import Check, Function, Policy, Protection, Trigger
from trialsite.core.guards import APP, protect

SUBJECTS, VISITS, RECORDS, ATTACHMENTS, EVENTS, CLOSINGS = (
    model._meta.db_table
    for model in (Subject, Visit, CrfRecord, Attachment, Event, ScheduleClosing)
)

_REASON = "coalesce(current_setting('trialsite.reason', true), '') = ''"

#: Fires on every table of CRF data. The record, visit and subject rows are share-locked,
#: so a lock waits for the save in flight and a save never follows a lock.
GUARD_ENTRY = Function(
    "guard_entry",
    returns="trigger",
    execute=(),
    source=f"""
DECLARE
  r record;
  ends boolean := false;
BEGIN
  SELECT c.status, c.lock_state AS record_lock, c.voided_at, s.lock_state AS subject_lock,
         s.consent_state, v.lock_state AS visit_lock
    INTO r
    FROM public.{RECORDS} c JOIN public.{SUBJECTS} s ON s.id = c.subject_id
         LEFT JOIN public.{VISITS} v ON v.id = c.visit_id
    WHERE c.id = NEW.record_id
    FOR SHARE OF c, s;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no record' USING ERRCODE = 'TS010';
  END IF;
  IF r.voided_at IS NOT NULL THEN
    RAISE EXCEPTION 'the record is voided' USING ERRCODE = 'TS011';
  END IF;
  IF r.record_lock <> 'open' OR r.subject_lock <> 'open'
     OR coalesce(r.visit_lock, 'open') <> 'open' THEN
    RAISE EXCEPTION 'the record is locked' USING ERRCODE = 'TS012';
  END IF;
  IF r.consent_state = 'withdrawn' THEN
    -- What runs in spite of it must be ended: with arguments, an update that sets the first
    -- column where the second was set before.
    IF TG_NARGS = 2 AND TG_OP = 'UPDATE' THEN
      ends := to_jsonb(OLD) ->> TG_ARGV[0] IS NULL AND to_jsonb(NEW) ->> TG_ARGV[0] IS NOT NULL
              AND to_jsonb(OLD) ->> TG_ARGV[1] IS NOT NULL;
    END IF;
    IF NOT ends THEN
      RAISE EXCEPTION 'consent is withdrawn for all data' USING ERRCODE = 'TS013';
    END IF;
  END IF;
  IF r.status IN ('complete', 'not_done') AND {_REASON} THEN
    RAISE EXCEPTION 'a change of completed data needs a reason' USING ERRCODE = 'TS014';
  END IF;
  RETURN NEW;
END
""",
)

#: The header follows the same rules; only its lock may change while it is locked.
GUARD_RECORD = Function(
    "guard_record",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF OLD.lock_state <> 'open' AND NEW.lock_state <> 'open' THEN
    RAISE EXCEPTION 'the record is locked' USING ERRCODE = 'TS012';
  END IF;
  IF OLD.voided_at IS NOT NULL AND NEW.voided_at IS DISTINCT FROM OLD.voided_at THEN
    RAISE EXCEPTION 'voiding is not undone' USING ERRCODE = 'TS011';
  END IF;
  IF OLD.status IN ('complete', 'not_done') AND {_REASON}
     AND (NEW.status, NEW.version, NEW.voided_at) IS DISTINCT FROM
         (OLD.status, OLD.version, OLD.voided_at) THEN
    RAISE EXCEPTION 'a change of completed data needs a reason' USING ERRCODE = 'TS014';
  END IF;
  RETURN NEW;
END
""",
)

#: Reminders count from a visit's dates, and from when it got them, whoever gave them.
DATE_VISIT = Function(
    "date_visit",
    returns="trigger",
    execute=(),
    source="""
BEGIN
  IF TG_OP = 'UPDATE' AND (NEW.target_on, NEW."window") IS NOT DISTINCT FROM
                          (OLD.target_on, OLD."window") THEN
    NEW.dated_at := OLD.dated_at;
  ELSE
    NEW.dated_at := CASE WHEN NEW.target_on IS NOT NULL THEN trialsite.now() END;
  END IF;
  NEW.first_day := lower(NEW."window");
  NEW.last_day := upper(NEW."window") - 1;
  RETURN NEW;
END
""",
)

#: A kept document is what it was; it can be voided, and neither comes nor goes under a lock.
GUARD_DOCUMENT = Function(
    "guard_document",
    returns="trigger",
    execute=(),
    source=f"""
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.voided_at IS NOT NULL AND NEW.voided_at IS DISTINCT FROM OLD.voided_at THEN
      RAISE EXCEPTION 'voiding is not undone' USING ERRCODE = 'TS011';
    END IF;
    IF (OLD.sha256, OLD.size, OLD.media_type, OLD.filename, OLD.uploaded_by_id, OLD.uploaded_at)
       IS DISTINCT FROM
       (NEW.sha256, NEW.size, NEW.media_type, NEW.filename, NEW.uploaded_by_id, NEW.uploaded_at)
    THEN
      RAISE EXCEPTION 'a kept document is not replaced' USING ERRCODE = 'TS003';
    END IF;
    IF NEW.voided_at IS NOT DISTINCT FROM OLD.voided_at THEN
      RETURN NEW;
    END IF;
  END IF;
  PERFORM 1 FROM public.{SUBJECTS} s WHERE s.id = NEW.subject_id AND s.lock_state = 'open'
    FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the subject is locked' USING ERRCODE = 'TS012';
  END IF;
  RETURN NEW;
END
""",
)


def same_site(table: str, *, record: bool = False) -> Check:
    """The composite key that keeps a row in its subject's site, also when that site changes."""
    parent, columns = (RECORDS, "record_id") if record else (SUBJECTS, "")
    own = f"site_id, subject_id, {columns}" if record else "site_id, subject_id"
    theirs = "site_id, subject_id, id" if record else "site_id, id"
    return Check(
        table,
        f"{table}_same_site",
        f"FOREIGN KEY ({own}) REFERENCES public.{parent} ({theirs}) ON UPDATE CASCADE "
        "DEFERRABLE INITIALLY IMMEDIATE",
    )


@protect
def casebook() -> Iterable[Protection]:
    yield from (GUARD_ENTRY, GUARD_RECORD, DATE_VISIT, GUARD_DOCUMENT)
    yield same_site(VISITS)
    yield same_site(CLOSINGS)
    yield Check(
        VISITS,
        f"{VISITS}_same_subject",
        f"FOREIGN KEY (site_id, subject_id, stands_for_id) "
        f"REFERENCES public.{VISITS} (site_id, subject_id, id) ON UPDATE CASCADE "
        "DEFERRABLE INITIALLY DEFERRED",
    )
    yield same_site(RECORDS)
    yield Check(
        RECORDS,
        f"{RECORDS}_same_subject",
        f"FOREIGN KEY (site_id, subject_id, visit_id) "
        f"REFERENCES public.{VISITS} (site_id, subject_id, id) ON UPDATE CASCADE "
        "DEFERRABLE INITIALLY DEFERRED",
    )
    yield same_site(ATTACHMENTS)
    # Put off to the end: at a transfer the subject and the record both carry it along.
    yield Check(
        ATTACHMENTS,
        f"{ATTACHMENTS}_same_record",
        f"FOREIGN KEY (site_id, subject_id, record_id) REFERENCES public.{RECORDS} "
        "(site_id, subject_id, id) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED",
    )
    yield Trigger(
        ATTACHMENTS, "guard_document", "BEFORE INSERT OR UPDATE", "trialsite.guard_document"
    )
    yield Trigger(VISITS, "date_visit", "BEFORE INSERT OR UPDATE", "trialsite.date_visit")
    yield Trigger(RECORDS, "guard_record", "BEFORE UPDATE", "trialsite.guard_record")
    yield Policy(EVENTS, "trail_of_subjects", "SELECT", (APP,), using=_trail_policy())


def _trail_policy() -> str:
    """Events of a subject follow the subject's present site; others their own (D8)."""
    return (
        "CASE WHEN (subject_id IS NOT NULL) THEN (EXISTS ( SELECT 1 "
        f"FROM {SUBJECTS} s WHERE (s.id = {EVENTS}.subject_id))) "
        "ELSE ((site_id IS NULL) OR (site_id = ANY (trialsite.sites()))) END"
    )
