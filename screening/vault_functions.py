"""The vault's doors: what the application may call, and what each refuses."""

from __future__ import annotations

from trialsite.core.catalog import Function
from trialsite.core.guards import APP, VAULT

SCHEMA = "vault"
IDENTITIES, IDENTIFIERS, DISCLOSURES = (
    f"{SCHEMA}.{name}" for name in ("identity", "identifier", "disclosure")
)

#: What the functions refuse with; `screening.services.identity` turns it into words.
UNKNOWN, NO_REASON, NOT_OPEN, ERASED, NEEDS_REASON = "TS030", "TS031", "TS032", "TS033", "TS014"

#: Seconds in which a disclosure may be opened, once, by the person who asked for it.
OPEN_FOR = 120

_PERSON = """
  actor bigint := nullif(current_setting('trialsite.actor', true), '')::bigint;"""
_NEEDS_PERSON = """
  IF actor IS NULL THEN
    RAISE EXCEPTION 'identifiers need a person who asks' USING ERRCODE = 'TS002';
  END IF;"""
_ERASED = f"""
  IF known.erased_at IS NOT NULL THEN
    RAISE EXCEPTION 'this identity was erased' USING ERRCODE = '{ERASED}';
  END IF;"""


def _refuse_unknown(condition: str) -> str:
    return f"""
  IF {condition} THEN
    RAISE EXCEPTION 'no such identity here' USING ERRCODE = '{UNKNOWN}';
  END IF;"""


def _held(entry: str) -> str:
    return f"""
  SELECT * INTO known FROM {IDENTITIES} v WHERE v.entry_id = {entry} FOR UPDATE;"""


#: A sealed text of NULL takes the identifier away; what stood before is kept as history.
KEEP = Function(
    "vault_keep",
    arguments="entry uuid, site integer, fields text[], sealed text[], masked text[], blind text[]",
    returns="void",
    definer=True,
    owner=VAULT,
    execute=(APP,),
    source=f"""
DECLARE{_PERSON}
  known record;
  latest integer;
  standing boolean;
BEGIN{_NEEDS_PERSON}{_refuse_unknown("NOT (vault_keep.site = ANY (trialsite.sites()))")}
  INSERT INTO {IDENTITIES} (entry_id, site_id, kept_at)
    VALUES (vault_keep.entry, vault_keep.site, trialsite.now()) ON CONFLICT DO NOTHING;\
{_held("vault_keep.entry")}{_refuse_unknown("known.site_id IS DISTINCT FROM vault_keep.site")}\
{_ERASED}
  FOR i IN 1 .. cardinality(fields) LOOP
    SELECT max(v.number), coalesce(bool_or(v.replaced_at IS NULL), false) INTO latest, standing
      FROM {IDENTIFIERS} v WHERE v.entry_id = vault_keep.entry AND v.field = fields[i];
    IF standing AND coalesce(current_setting('trialsite.reason', true), '') = '' THEN
      RAISE EXCEPTION 'a correction needs a reason' USING ERRCODE = '{NEEDS_REASON}';
    END IF;
    UPDATE {IDENTIFIERS} v SET replaced_at = trialsite.now(), replaced_by = actor
      WHERE v.entry_id = vault_keep.entry AND v.field = fields[i] AND v.replaced_at IS NULL;
    IF sealed[i] IS NOT NULL THEN
      INSERT INTO {IDENTIFIERS} (id, entry_id, site_id, field, number, sealed, masked, blind,
          kept_at, kept_by)
        VALUES (gen_random_uuid(), vault_keep.entry, vault_keep.site, fields[i],
          coalesce(latest, 0) + 1, sealed[i], masked[i], blind[i], trialsite.now(), actor);
    END IF;
  END LOOP;
END
""",
)

#: One row for each identifier that stands, and one without field for an identity with none.
MASKED = Function(
    "vault_masked",
    arguments="entries uuid[]",
    returns="TABLE(entry_id uuid, site_id integer, field text, masked text, "
    "kept_at timestamp with time zone, erased boolean)",
    volatility="STABLE",
    definer=True,
    owner=VAULT,
    execute=(APP,),
    source=f"""
BEGIN
  RETURN QUERY
    SELECT p.entry_id, p.site_id, v.field, v.masked, v.kept_at, p.erased_at IS NOT NULL
    FROM {IDENTITIES} p LEFT JOIN {IDENTIFIERS} v
      ON v.entry_id = p.entry_id AND v.replaced_at IS NULL
    WHERE p.entry_id = ANY (entries) AND p.site_id = ANY (trialsite.sites());
END
""",
)

#: The first step of a reveal: the event, with its reason. Nothing is handed out yet.
ASK = Function(
    "vault_ask",
    arguments="entry uuid, reason text",
    returns="uuid",
    definer=True,
    owner=VAULT,
    execute=(APP,),
    source=f"""
DECLARE{_PERSON}
  known record;
  asked uuid := gen_random_uuid();
  before text := coalesce(current_setting('trialsite.reason', true), '');
BEGIN{_NEEDS_PERSON}
  IF coalesce(btrim(vault_ask.reason), '') = '' THEN
    RAISE EXCEPTION 'to see identifiers, say why' USING ERRCODE = '{NO_REASON}';
  END IF;{_held("vault_ask.entry")}
{_refuse_unknown("known.entry_id IS NULL OR NOT (known.site_id = ANY (trialsite.sites()))")}\
{_ERASED}
  INSERT INTO {DISCLOSURES} (id, entry_id, site_id, actor_id, xid, asked_at)
    VALUES (asked, known.entry_id, known.site_id, actor,
      pg_current_xact_id()::text::bigint, clock_timestamp());
  PERFORM set_config('trialsite.reason', btrim(vault_ask.reason), true);
  PERFORM trialsite.note_act('identity_revealed', known.site_id, NULL, NULL,
    jsonb_build_object('entry', known.entry_id, 'disclosure', asked));
  PERFORM set_config('trialsite.reason', before, true);
  RETURN asked;
END
""",
)

#: The second step: only in a later transaction, so that the event can no longer be taken
#: back; soon, once, and for the person whom the event names.
REVEAL = Function(
    "vault_reveal",
    arguments="disclosure uuid",
    returns="TABLE(entry_id uuid, field text, number integer, sealed text, "
    "kept_at timestamp with time zone, kept_by bigint, replaced_at timestamp with time zone)",
    definer=True,
    owner=VAULT,
    execute=(APP,),
    source=f"""
DECLARE{_PERSON}
  found record;
BEGIN{_NEEDS_PERSON}
  SELECT * INTO found FROM {DISCLOSURES} d WHERE d.id = vault_reveal.disclosure FOR UPDATE;
{_refuse_unknown("found.id IS NULL OR NOT (found.site_id = ANY (trialsite.sites()))")}
  IF found.actor_id <> actor OR found.opened_at IS NOT NULL
     OR found.xid = pg_current_xact_id()::text::bigint
     OR clock_timestamp() > found.asked_at + interval '{OPEN_FOR} seconds' THEN
    RAISE EXCEPTION 'this disclosure is not open' USING ERRCODE = '{NOT_OPEN}';
  END IF;
  UPDATE {DISCLOSURES} d SET opened_at = clock_timestamp() WHERE d.id = found.id;
  RETURN QUERY
    SELECT v.entry_id, v.field, v.number, v.sealed, v.kept_at, v.kept_by, v.replaced_at
    FROM {IDENTIFIERS} v WHERE v.entry_id = found.entry_id AND v.sealed <> ''
    ORDER BY v.field, v.number DESC;
END
""",
)

#: A search tells whether somebody is in the trial, so it leaves its event too.
MATCHES = Function(
    "vault_matches",
    arguments="fields text[], blind text[]",
    returns="TABLE(entry_id uuid, site_id integer, field text)",
    definer=True,
    owner=VAULT,
    execute=(APP,),
    source=f"""
DECLARE{_PERSON}
BEGIN{_NEEDS_PERSON}
  PERFORM trialsite.note_act('identity_searched', NULL, NULL, NULL,
    jsonb_build_object('fields', to_jsonb(vault_matches.fields)));
  RETURN QUERY
    SELECT v.entry_id, v.site_id, v.field FROM {IDENTIFIERS} v
      JOIN unnest(vault_matches.fields, vault_matches.blind) AS asked(field, blind)
        ON asked.field = v.field AND asked.blind = v.blind
    WHERE v.replaced_at IS NULL AND v.site_id = ANY (trialsite.sites())
    ORDER BY v.entry_id, v.field;
END
""",
)

ERASE = Function(
    "vault_erase",
    arguments="entry uuid, reason text",
    returns="void",
    definer=True,
    owner=VAULT,
    execute=(APP,),
    source=f"""
DECLARE{_PERSON}
  known record;
  before text := coalesce(current_setting('trialsite.reason', true), '');
BEGIN{_NEEDS_PERSON}
  IF coalesce(btrim(vault_erase.reason), '') = '' THEN
    RAISE EXCEPTION 'erasing needs a reason' USING ERRCODE = '{NO_REASON}';
  END IF;{_held("vault_erase.entry")}
{_refuse_unknown("known.entry_id IS NULL OR NOT (known.site_id = ANY (trialsite.sites()))")}\
{_ERASED}
  PERFORM set_config('trialsite.reason', btrim(vault_erase.reason), true);
  UPDATE {IDENTIFIERS} v SET sealed = '', masked = '', blind = '',
      replaced_at = coalesce(v.replaced_at, trialsite.now()),
      replaced_by = coalesce(v.replaced_by, actor)
    WHERE v.entry_id = known.entry_id;
  UPDATE {IDENTITIES} v SET erased_at = trialsite.now() WHERE v.entry_id = known.entry_id;
  PERFORM trialsite.note_act('identity_erased', known.site_id, NULL, NULL,
    jsonb_build_object('entry', known.entry_id));
  PERFORM set_config('trialsite.reason', before, true);
END
""",
)

#: How much is sealed under which key, and found by which index key; no ciphertext.
KEYS = Function(
    "vault_keys",
    returns="TABLE(key_id text, index_id text, held bigint)",
    volatility="STABLE",
    definer=True,
    owner=VAULT,
    execute=(APP,),
    source=f"""
BEGIN
  RETURN QUERY
    SELECT split_part(v.sealed, '.', 2), split_part(v.blind, '.', 1), count(*)
    FROM {IDENTIFIERS} v WHERE v.sealed <> '' AND v.site_id = ANY (trialsite.sites())
    GROUP BY 1, 2 ORDER BY 1, 2;
END
""",
)

#: Many ciphertexts at once: for the owner's connection only, which neither web server nor
#: worker knows (`manage.py rotate_identity_keys`).
UNROTATED = Function(
    "vault_unrotated",
    arguments="key_id text, index_id text, batch integer",
    returns="TABLE(id uuid, entry_id uuid, field text, sealed text, masked text)",
    definer=True,
    owner=VAULT,
    execute=(),
    source=f"""
BEGIN
  RETURN QUERY
    SELECT v.id, v.entry_id, v.field, v.sealed, v.masked FROM {IDENTIFIERS} v
    WHERE v.sealed <> '' AND v.site_id = ANY (trialsite.sites())
      AND (split_part(v.sealed, '.', 2) <> vault_unrotated.key_id
           OR split_part(v.blind, '.', 1) <> vault_unrotated.index_id)
    ORDER BY v.id LIMIT batch FOR UPDATE;
END
""",
)

#: Replaces exactly the ciphertext that was read.
ROTATE = Function(
    "vault_rotate",
    arguments="id uuid, was text, sealed text, masked text, blind text",
    returns="boolean",
    definer=True,
    owner=VAULT,
    execute=(),
    source=f"""
BEGIN
  UPDATE {IDENTIFIERS} v
    SET sealed = vault_rotate.sealed, masked = vault_rotate.masked, blind = vault_rotate.blind
    WHERE v.id = vault_rotate.id AND v.sealed = vault_rotate.was;
  RETURN FOUND;
END
""",
)

FUNCTIONS = (KEEP, MASKED, ASK, REVEAL, MATCHES, ERASE, KEYS, UNROTATED, ROTATE)
