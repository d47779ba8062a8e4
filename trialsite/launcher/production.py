"""The launcher's part inside a container deployment: secrets, migrate job, health check."""

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from trialsite.launcher import probes
from trialsite.launcher.connections import ADMIN, DATABASE, ROLES, with_login
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.keys import Keyring
from trialsite.launcher.layout import Layout
from trialsite.launcher.progress import say

DATABASE_HOST = "postgres:5432"
BROKER_HOST = "valkey:6379"
PREPARING = (("create_roles",), ("migrate", "--noinput"))


def write_secrets(directory: Path) -> int:
    """Generate the files compose mounts as secrets; what exists already is kept.

    The directory is closed to other accounts. The files in it are readable, because each is
    mounted alone into containers that run under accounts of their own.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    keyring = Keyring(directory)
    keyring.secret_key, keyring.field_keys  # noqa: B018 - reading generates
    superuser = keyring.get("postgres_password")
    base = f"postgresql://{DATABASE_HOST}/{DATABASE}"
    for name, role in ROLES.items():
        password = keyring.get(f"{role}_password")
        _derive(keyring, name.lower(), with_login(base, role, password))
    admin = with_login(f"postgresql://{DATABASE_HOST}/postgres", "postgres", superuser)
    _derive(keyring, ADMIN.lower(), admin)
    broker = keyring.get("valkey_password")
    _derive(keyring, "redis_url", f"redis://:{broker}@{BROKER_HOST}/0")
    _derive(keyring, "valkey_conf", f'requirepass "{broker}"\nappendonly yes\nsave ""')
    for path in directory.iterdir():
        path.chmod(0o444)
    say(f"Secrets are in {directory}. Keep a copy of field_keys apart from the backups.")
    return 0


def _derive(keyring: Keyring, name: str, value: str) -> None:
    keyring.get(name, lambda: value)


def migrate_once(layout: Layout) -> int:
    """Create the roles and bring the tables up to the code, as `run` does, then end."""
    environment = _with_file_secrets(dict(os.environ))
    if ADMIN not in environment:
        raise LauncherError(f"{ADMIN} or {ADMIN}_FILE is needed to create the roles.")
    for arguments in PREPARING:
        command = [str(layout.python), "manage.py", *arguments]
        code = subprocess.run(command, env=environment, check=False).returncode
        if code:
            raise LauncherError(f"manage.py {arguments[0]} ended with exit {code}.")
    return 0


def _with_file_secrets(environment: dict[str, str]) -> dict[str, str]:
    """Read the addresses that stand in files, as the production settings do for their own."""
    for name in (*ROLES, ADMIN):
        path = environment.pop(f"{name}_FILE", None)
        if path:
            environment[name] = Path(path).read_text(encoding="utf-8").strip()
    return environment


def probe(url: str) -> int:
    """Return 0 if the address answers 200, under the name people use for it."""
    public = urlsplit(os.environ.get("BASE_URL", ""))
    return 0 if probes.http_answer(url, public.netloc or None)[0] == 200 else 1
