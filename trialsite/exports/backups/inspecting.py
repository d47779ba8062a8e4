"""What is asked of a restored database before it takes the name of the study."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.contrib.auth.hashers import check_password, identify_hasher
from django.core import checks
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from trialsite.access.context import system_context
from trialsite.access.models import User
from trialsite.audit.folding import audited_tables, unaccounted
from trialsite.core.acts import note_act
from trialsite.core.context import Channel, acting
from trialsite.core.software import NAME, software_version
from trialsite.exports.backups.contents import export_hashes
from trialsite.exports.backups.manifest import BackupError

SYSTEM = "restore"
#: Settings of the server, which a restore does not change, are told and refuse nothing.
_SERVER = "trialsite.E002"


def inspect_restored(*, software: str, email: str = "", password: str = "") -> dict[str, Any]:
    """Guards, keys, trail, exports and sign-ins of this database; BackupError for a fault."""
    lines = _checked()
    context = system_context(SYSTEM, Channel.COMMAND)
    with acting(context, one_moment=True):
        same = software == f"{NAME} {software_version()}"
        exports = export_hashes() if same else {}
        lines.append(("audit trail", _trail()))
        lines.append(("sign-in", _sign_ins(email, password)))
    applied = MigrationRecorder(connection).applied_migrations()
    return {
        "migrations": sorted(f"{app}.{name}" for app, name in applied),
        "exports": exports,
        "lines": lines,
    }


def note_restored(backup: str, made_at: str) -> None:
    """The trail tells that everything before was brought back from a backup."""
    with acting(system_context(SYSTEM, Channel.COMMAND)):
        note_act("restored", details={"backup": backup, "made_at": made_at})


def _checked() -> list[tuple[str, str]]:
    """Row-level security, grants, triggers, roles and keys, as `check --deploy` asks for them."""
    found = [
        each
        for each in checks.run_checks(include_deployment_checks=True, databases=["default"])
        if str(each.id).startswith("trialsite.")
    ]
    wrong = [each.msg for each in found if each.id != _SERVER]
    if wrong:
        raise BackupError("The restored database is not guarded:\n" + "\n".join(wrong[:10]))
    lines = [("guards", "roles, grants, policies, triggers and keys as the code says")]
    if found:
        lines.append(("server", "; ".join(str(each.msg) for each in found)))
    return lines


def _trail() -> str:
    tables = audited_tables()
    odd = [str(each) for table in tables for each in unaccounted(table)]
    if odd:
        raise BackupError("Rows are not accounted for by the trail:\n" + "\n".join(odd[:10]))
    return f"every row of {len(tables)} tables is what its events add up to"


def _sign_ins(email: str, password: str) -> str:
    """Whether people can sign in: passwords are readable, second factors open under our keys."""
    people = list(User.objects.filter(is_active=True))
    usable = [each for each in people if each.has_usable_password()]
    for each in usable:
        identify_hasher(each.password)
    factors = list(Authenticator.objects.filter(type=Authenticator.Type.TOTP))
    for factor in factors:
        try:
            get_adapter().decrypt(factor.data["secret"])
        except InvalidToken as error:
            raise BackupError("A second factor does not open under FIELD_KEYS.") from error
    said = f"{len(usable)} of {len(people)} people have a password, {len(factors)} codes open"
    if not email:
        return said
    person = next((each for each in people if each.email == email.lower()), None)
    if person is None or not check_password(password, person.password):
        raise BackupError(f"{email} cannot sign in with this password.")
    return f"{said}; {person.email} is let in by the password given"
