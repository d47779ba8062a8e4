"""On whose behalf, from where and why the database is used.

Row-level security and the audit trail read the same transaction-local settings, so a
person's context is set once, here, for requests, tasks, commands and tests alike. The
settings end with the transaction: a pooled connection carries nothing over.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connections, models, transaction
from django.utils.translation import gettext_lazy as _

from trialsite.core.exceptions import MissingContextError


class Channel(models.TextChoices):
    UI = "ui", _("Page")
    API = "api", _("API")
    IMPORT = "import", _("Import")
    TASK = "task", _("Background task")
    COMMAND = "command", _("Command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who acts (a person, or a named system process), for which sites, how and why."""

    channel: Channel
    actor_id: int | None = None
    system: str = ""
    role: str = ""
    sites: frozenset[int] = frozenset()
    reason: str = ""
    request_id: uuid.UUID = field(default_factory=uuid.uuid4)

    def settings(self) -> dict[str, str]:
        """The PostgreSQL settings that carry this context."""
        return {
            "trialsite.actor": "" if self.actor_id is None else str(self.actor_id),
            "trialsite.system": self.system,
            "trialsite.role": self.role,
            "trialsite.sites": "{" + ",".join(map(str, sorted(self.sites))) + "}",
            "trialsite.channel": self.channel,
            "trialsite.request": str(self.request_id),
            "trialsite.reason": self.reason,
        }


def _set(values: dict[str, str], using: str) -> None:
    calls = ", ".join(["set_config(%s, %s, true)"] * len(values))
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {calls}", [part for pair in values.items() for part in pair])


@contextmanager
def acting(context: Context, *, using: str = "default", one_moment: bool = False) -> Iterator[None]:
    """Run one transaction on somebody's behalf; an exception rolls it back.

    Inside another context it is a savepoint, and what was set before returns at the end.
    With `one_moment` all that it reads is of one moment, however many statements it takes;
    inside another context that one's transaction decides.
    """
    connection = connections[using]
    outer = _current(using) if connection.in_atomic_block else None
    with transaction.atomic(using=using):
        if one_moment and outer is None:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        _set(context.settings(), using)
        yield
        if outer is not None and not connection.needs_rollback:
            _set(outer, using)


def _current(using: str) -> dict[str, str]:
    names = list(Context(channel=Channel.TASK).settings())
    calls = ", ".join(["coalesce(current_setting(%s, true), '')"] * len(names))
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {calls}", names)
        return dict(zip(names, cursor.fetchone(), strict=True))


@contextmanager
def because(reason: str, *, using: str = "default") -> Iterator[None]:
    """Give the reason that the audit trail keeps for the changes made inside.

    An exception takes the changes back, and the reason with them.
    """
    if not connections[using].in_atomic_block:
        raise MissingContextError("A reason needs a context: use acting() first.")
    with transaction.atomic(using=using):
        before = _current(using)["trialsite.reason"]
        _set({"trialsite.reason": reason}, using)
        yield
        if not connections[using].needs_rollback:
            _set({"trialsite.reason": before}, using)


def reason_given(*, using: str = "default") -> str:
    """The reason under which changes are being made; empty where nobody has given one."""
    return _current(using)["trialsite.reason"]
