"""The launcher's part in a container deployment: image, secrets, migrate job, processes."""

import os
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from trialsite.launcher import probes
from trialsite.launcher.binaries import find_clients
from trialsite.launcher.connections import ADMIN, DATABASE, ROLES, with_login
from trialsite.launcher.environment import Choices
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.keys import Keyring, field_key, identity_key
from trialsite.launcher.layout import Layout
from trialsite.launcher.product import beat_command, web_command, worker_command
from trialsite.launcher.progress import say

PRODUCTION = "trialsite.settings.production"
DATABASE_HOST = "postgres:5432"
BROKER_HOST = "valkey:6379"
BUILDING = (("compile_messages",), ("collectstatic", "--noinput"))
PREPARING = (("create_roles",), ("migrate", "--noinput"))
PROCESSES = ("web", "worker", "beat")


def write_secrets(directory: Path) -> int:
    """Generate the files compose mounts as secrets; what exists already is kept.

    The directory is closed to other accounts. The files in it are readable, because each is
    mounted alone into containers that run under accounts of their own.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    for name, value in _secret_values(Keyring(directory)).items():
        path = directory / name
        if not path.exists():
            path.write_text(f"{value}\n", encoding="utf-8")
    for path in directory.iterdir():
        path.chmod(0o444)
    say(
        f"Secrets are in {directory}. Keep copies of field_keys, identity_keys and "
        "identity_index_key apart from the backups."
    )
    return 0


def _secret_values(keyring: Keyring) -> dict[str, str]:
    """Return the secrets that are made of others, such as the addresses of the roles."""
    base = f"postgresql://{DATABASE_HOST}/{DATABASE}"
    addresses = {
        name.lower(): with_login(base, role, keyring.get(f"{role}_password"))
        for name, role in ROLES.items()
    }
    maintenance = f"postgresql://{DATABASE_HOST}/postgres"
    broker = keyring.get("valkey_password")
    return addresses | {
        "secret_key": keyring.secret_key,
        "field_keys": keyring.field_keys,
        "identity_keys": keyring.identity_keys,
        "identity_index_key": keyring.identity_index_key,
        ADMIN.lower(): with_login(maintenance, "postgres", keyring.get("postgres_password")),
        "redis_url": f"redis://:{broker}@{BROKER_HOST}/0",
        "valkey_conf": f'requirepass "{broker}"\nappendonly yes\nsave ""',
        # Mail is only written to the log until the operator names a server.
        "email_url": "consolemail://",
    }


def build_image(layout: Layout) -> int:
    """Compile translations and compress static files, with keys that end with the step."""
    placeholder = "postgresql://trialsite_app@localhost/trialsite"
    throwaway = {
        "DJANGO_SETTINGS_MODULE": PRODUCTION,
        "BASE_URL": "https://localhost",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FIELD_KEYS": field_key(),
        "IDENTITY_KEYS": identity_key(),
        "IDENTITY_INDEX_KEY": field_key(),
        "DATABASE_URL": placeholder,
        "REDIS_URL": "redis://localhost/0",
        "STATIC_COMPRESS": "1",
        "TRIALSITE_VAR": str(layout.var),
    }
    _manage_each(layout, BUILDING, {**os.environ, **throwaway})
    return 0


def migrate_once(layout: Layout) -> int:
    """Create the roles and bring the tables up to the code, as `run` does, then end."""
    environment = _with_file_secrets(dict(os.environ))
    if ADMIN not in environment:
        raise LauncherError(f"{ADMIN} or {ADMIN}_FILE is needed to create the roles.")
    _manage_each(layout, PREPARING, environment)
    return 0


def do_job(layout: Layout, arguments: Sequence[str]) -> int:
    """Run one management command with the addresses of all roles, such as a backup."""
    if not arguments:
        raise LauncherError("Name the command: python3 -m trialsite.launcher job backup …")
    environment = _with_file_secrets(dict(os.environ))
    environment["POSTGRES_BIN"] = str(find_clients(layout))
    command = [str(layout.python), "manage.py", *arguments]
    os.chdir(layout.checkout)
    os.execve(command[0], command, environment)  # noqa: S606 - no shell is wanted


def become(layout: Layout, name: str) -> int:
    """Turn into one process of the product, with the command line `run` gives it."""
    choices = Choices.from_environment(PRODUCTION)
    commands = {
        "web": lambda: web_command(layout, choices),
        "worker": lambda: worker_command(layout),
        "beat": lambda: beat_command(layout),
    }
    command = commands[name]()
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def probe(url: str) -> int:
    """Return 0 if the address answers 200, under the name people use for it."""
    public = urlsplit(os.environ.get("BASE_URL", ""))
    status, text = probes.http_answer(url, public.netloc or None)
    say(f"{status} {text}")
    return 0 if status == 200 else 1


def _manage_each(
    layout: Layout, commands: tuple[tuple[str, ...], ...], environment: Mapping[str, str]
) -> None:
    for arguments in commands:
        command = [str(layout.python), "manage.py", *arguments]
        done = subprocess.run(command, cwd=layout.checkout, env=dict(environment), check=False)
        if done.returncode:
            raise LauncherError(f"manage.py {arguments[0]} ended with exit {done.returncode}.")


def _with_file_secrets(environment: dict[str, str]) -> dict[str, str]:
    """Read the addresses that stand in files, as the production settings do for their own."""
    for name in (*ROLES, ADMIN):
        path = environment.pop(f"{name}_FILE", None)
        if path:
            environment[name] = Path(path).read_text(encoding="utf-8").strip()
    return environment
