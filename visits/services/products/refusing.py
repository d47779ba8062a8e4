"""What PostgreSQL refuses of the cell product, said beside the field that caused it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, models, transaction
from django.utils.translation import gettext_lazy as _

from trialsite.crf.violations import ImpossibleError, refusal_of, said_by
from visits.product_guards import MORE_THAN_MADE, NOT_LOADABLE, TOO_MANY

_STATES = {
    TOO_MANY: ("units", _("This site does not have so many units of this lot.")),
    MORE_THAN_MADE: ("units", _("More units than were made of this lot.")),
    NOT_LOADABLE: ("lot_code", _("This lot may not be used.")),
}
_REACTOR = _("A reactor with this serial number has served another session.")

#: Beside which field a constraint of ours speaks.
_FIELDS = {
    "lot_codes_are_plain": "donor_code",
    "lot_passage_or_doublings": "passage",
    "lot_expires_after_it_is_made": "expires_at",
    "lot_holds_something": "units_made",
    "lot_viability_is_a_percentage": "viability",
    "lot_certificate_hash_known": "certificate_sha256",
    "release_test_known": "result",
    "release_test_other_is_named": "name",
    "release_test_hash_known": "document_sha256",
    "lot_decision_has_its_reason": "reason",
    "lot_movement_moves_something": "units",
    "lot_movement_has_its_reason": "reason",
    "lot_destroyed_before_a_witness": "witness",
    "loaded_something": "viable_cells",
    "loaded_viability_is_a_percentage": "viability_loaded",
    "loaded_after_thawing": "loaded_at",
    "loaded_and_checked_by_two": "checked_by",
    "reactor_serial_is_plain": "reactor_serial",
}


@contextmanager
def product_refusals(table: type[models.Model]) -> Iterator[None]:
    """Turn a refusal of the account, the lot's state, the reactor's one use or a constraint
    into one that a person can act on."""
    try:
        with transaction.atomic():
            yield
    except DatabaseError as error:
        cause = error.__cause__
        state = getattr(cause, "sqlstate", "") or ""
        name = getattr(getattr(cause, "diag", None), "constraint_name", None) or ""
        if state in _STATES:
            field, said = _STATES[state]
            raise ImpossibleError({field: [str(said)]}) from error
        if name == "reactor_serves_one_session":
            raise ImpossibleError({"reactor_serial": [str(_REACTOR)]}) from error
        if message := _message(table, name):
            raise ImpossibleError({_FIELDS.get(name, ""): [message]}) from error
        refusal = refusal_of(table, error)
        if refusal is None:
            raise
        raise refusal from error


def _message(table: type[models.Model], name: str) -> str:
    for constraint in table._meta.constraints:
        if constraint.name == name and isinstance(constraint, models.CheckConstraint):
            return said_by(constraint)
    return ""
