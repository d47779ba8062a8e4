"""A refusal of the database, said next to the item that caused it.

The rules live in PostgreSQL once; a broken constraint's name leads back to its items
and its message, so no rule is judged twice (decisions D4).
"""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, models
from django.db.models import F, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trialsite.core.exceptions import DomainError
from trialsite.crf.items import items_of

REFUSALS = {
    "TS011": gettext_lazy("This record has been voided."),
    "TS012": gettext_lazy("This record is locked. Ask the data manager to unlock it."),
    "TS013": gettext_lazy("The subject has withdrawn consent for all data."),
    "TS014": gettext_lazy("A change of completed data needs a reason."),
}


class ImpossibleError(DomainError):
    """A constraint refuses these values; `errors` says what to which item."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(" ".join(message for each in errors.values() for message in each))
        self.errors = errors


def refusal_of(table: type[models.Model], error: DatabaseError) -> DomainError | None:
    """The refusal behind a database error, or None for an error that is a fault of ours."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    if state in REFUSALS:
        return DomainError(str(REFUSALS[state]))
    name = getattr(getattr(cause, "diag", None), "constraint_name", None)
    if state == "23514" and name:
        return ImpossibleError(_errors_of(table, name))
    return None


def said_by(constraint: models.CheckConstraint) -> str:
    """The message of a constraint as it was written.

    Django's own reading formats it, and fails over a message that speaks of percent.
    """
    return str(constraint.violation_error_message)


def _errors_of(table: type[models.Model], name: str) -> dict[str, list[str]]:
    if name.endswith("_missing_xor_value"):
        return {"": [_("Either a value or a reason why there is none.")]}
    for constraint in table._meta.constraints:
        if constraint.name == name and isinstance(constraint, models.CheckConstraint):
            message = said_by(constraint)
            named = [each for each in items_of(table) if each in names_in(constraint.condition)]
            return {each: [message] for each in named} or {"": [message]}
    return {"": [_("The database refuses these values (%(rule)s).") % {"rule": name}]}


def names_in(node: Any) -> set[str]:
    """The columns a condition speaks of."""
    if isinstance(node, F):
        return {str(vars(node)["name"])}
    if isinstance(node, Q):
        return set().union(*map(names_in, node.children))
    if isinstance(node, tuple):
        return {node[0].split("__")[0]} | names_in(node[1])
    sources: list[Any] = getattr(node, "get_source_expressions", list)()
    return set().union(*map(names_in, sources))
