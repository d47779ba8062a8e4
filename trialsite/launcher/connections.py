"""Addresses of the databases, one per role; passwords are generated, never defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from trialsite.launcher.errors import LauncherError
from trialsite.launcher.keys import Keyring

DATABASE = "trialsite"
ROLES = {
    "DATABASE_URL": "trialsite_app",
    "DATABASE_OWNER_URL": "trialsite_owner",
    "DATABASE_PUBLIC_URL": "trialsite_public",
    "DATABASE_BACKUP_URL": "trialsite_backup",
}
ADMIN = "DATABASE_ADMIN_URL"
RUNTIME = ("DATABASE_URL", "DATABASE_PUBLIC_URL")


@dataclass(frozen=True)
class Connections:
    """The address of the database for each role, and that of the broker."""

    database: Mapping[str, str]
    redis: str
    identity: str | None

    @property
    def runtime(self) -> dict[str, str]:
        """What web server, worker and beat may know: never the owner of the tables."""
        return {name: self.database[name] for name in RUNTIME} | {"REDIS_URL": self.redis}

    @property
    def setup(self) -> dict[str, str]:
        """What the commands that build and guard the database need."""
        return dict(self.database) | {"REDIS_URL": self.redis}


def database_urls(base: str, keyring: Keyring, given: Mapping[str, str]) -> dict[str, str]:
    """Return the address of every role on one server: as given, else derived from `base`."""
    urls = {}
    for name, role in ROLES.items():
        generated = keyring.get(f"{role}_password")
        urls[name] = given.get(name) or with_login(base, role, generated)
    if given.get(ADMIN):
        urls[ADMIN] = given[ADMIN]
    return urls


def with_login(url: str, user: str, password: str) -> str:
    """Return the same address for another role."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password, safe='')}@{server}"))


def server_of(url: str, default_port: int) -> tuple[str, int] | None:
    """Return host and port of an address, or None for one that names a socket file."""
    parts = urlsplit(url)
    if not parts.hostname:
        return None
    return parts.hostname, parts.port or default_port


def check_database_url(url: str) -> None:
    """Refuse an address the product could not use, before anything is started."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
        raise LauncherError(
            "DATABASE_URL must look like postgresql://trialsite_app:PASSWORD@HOST:5432/DATABASE"
        )
