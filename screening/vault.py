"""The vault: where names, phones and hospital numbers lie, and the only doors to it.

The tables belong to a role nobody can sign in as, and the application has no privilege on
them, nor on their schema. It may call the functions below, which look at the sites of its
context. What they keep is ciphertext made in Python (`screening.identity`): PostgreSQL never
sees a name. Opening takes two transactions, so that the event of it is kept before anything
is handed out (docs/adr/0008-identifiers-in-a-vault.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from screening.identity import FIELDS
from screening.models import ScreeningEntry
from screening.vault_functions import (
    DISCLOSURES,
    FUNCTIONS,
    IDENTIFIERS,
    IDENTITIES,
    SCHEMA,
)
from trialsite.core.catalog import Check, Grant, Policy, Protection, Table, Trigger
from trialsite.core.guards import BACKUP, VAULT, protect
from trialsite.core.stores import Schema, Store

ENTRIES = ScreeningEntry._meta.db_table

_TIME = "timestamp with time zone"
STORES = (
    Store(
        IDENTITIES,
        (
            ("entry_id", "uuid", True),
            ("site_id", "integer", True),
            ("kept_at", _TIME, True),
            ("erased_at", _TIME, False),
        ),
    ),
    Store(
        IDENTIFIERS,
        (
            ("id", "uuid", True),
            ("entry_id", "uuid", True),
            ("site_id", "integer", True),
            ("field", "text", True),
            ("number", "integer", True),
            ("sealed", "text", True),
            ("masked", "text", True),
            ("blind", "text", True),
            ("kept_at", _TIME, True),
            ("kept_by", "bigint", True),
            ("replaced_at", _TIME, False),
            ("replaced_by", "bigint", False),
        ),
    ),
    Store(
        DISCLOSURES,
        (
            ("id", "uuid", True),
            ("entry_id", "uuid", True),
            ("site_id", "integer", True),
            ("actor_id", "bigint", True),
            ("xid", "bigint", True),
            ("asked_at", _TIME, True),
            ("opened_at", _TIME, False),
        ),
    ),
)
#: Key column and secret columns of the tables whose every change is in the trail.
_AUDITED = {IDENTITIES: ("entry_id", ""), IDENTIFIERS: ("id", "sealed,masked,blind")}

_CIPHERTEXT = r"^v1\.[a-z0-9-]{1,16}\.[A-Za-z0-9_-]{80,}$"
_INDEX = r"^[0-9a-f]{8}\.[0-9a-f]{64}$"
_FOLLOWS = (
    f"FOREIGN KEY (site_id, entry_id) REFERENCES {IDENTITIES} (site_id, entry_id) ON UPDATE CASCADE"
)


def _constraints() -> Iterable[Check]:
    """Plaintext cannot be put in by mistake; an identity stays in its entry's site."""
    yield Check(ENTRIES, "screening_entry_of_site", "UNIQUE (site_id, id)")
    yield Check(IDENTITIES, "identity_once", "PRIMARY KEY (entry_id)")
    yield Check(IDENTITIES, "identity_of_site", "UNIQUE (site_id, entry_id)")
    yield Check(
        IDENTITIES,
        "identity_of_entry",
        f"FOREIGN KEY (site_id, entry_id) REFERENCES public.{ENTRIES} (site_id, id) "
        "ON UPDATE CASCADE",
    )
    yield Check(IDENTIFIERS, "identifier_key", "PRIMARY KEY (id)")
    yield Check(IDENTIFIERS, "identifier_numbered", "UNIQUE (entry_id, field, number)")
    yield Check(
        IDENTIFIERS,
        "one_identifier_stands",
        "EXCLUDE USING btree (entry_id WITH =, field WITH =) WHERE (replaced_at IS NULL)",
    )
    yield Check(IDENTIFIERS, "identifier_of_identity", _FOLLOWS)
    fields = ", ".join(f"'{field}'" for field in FIELDS)
    yield Check(IDENTIFIERS, "identifier_known", f"CHECK (field IN ({fields}))")
    yield Check(
        IDENTIFIERS,
        "identifier_is_ciphertext",
        f"CHECK ((sealed = '' AND masked = '' AND blind = '' AND replaced_at IS NOT NULL) OR "
        f"(sealed ~ '{_CIPHERTEXT}' AND masked ~ '{_CIPHERTEXT}' AND blind ~ '{_INDEX}'))",
    )
    yield Check(
        IDENTIFIERS,
        "identifier_replaced_by_somebody",
        "CHECK ((replaced_at IS NULL) = (replaced_by IS NULL))",
    )
    yield Check(DISCLOSURES, "disclosure_key", "PRIMARY KEY (id)")
    yield Check(DISCLOSURES, "disclosure_of_identity", _FOLLOWS)


@protect
def vault() -> Iterable[Protection]:
    yield Schema(SCHEMA, owner=VAULT, usage=(BACKUP,))
    yield from STORES
    yield from FUNCTIONS
    yield from _constraints()
    seen = "(site_id = ANY (trialsite.sites()))"
    for table in (IDENTITIES, IDENTIFIERS, DISCLOSURES):
        yield Table(table, row_security=True, owner=VAULT, numbers=False)
        yield Grant(table, BACKUP, ("SELECT",))
        yield Policy(table, "vault_reads", "SELECT", (VAULT,), using=seen)
        yield Policy(table, "vault_inserts", "INSERT", (VAULT,), check=seen)
        yield Policy(table, "vault_updates", "UPDATE", (VAULT,), using=seen, check=seen)
        yield Trigger(
            table, "no_truncate", "BEFORE TRUNCATE", "trialsite.refuse_truncate", each="STATEMENT"
        )
    for table, (key, secret) in _AUDITED.items():
        yield Trigger(
            table,
            "audit",
            "AFTER INSERT OR DELETE OR UPDATE",
            "trialsite.record_event",
            (key, "site_id", "", "", secret),
        )
