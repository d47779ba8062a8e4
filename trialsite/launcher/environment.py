"""The environment each child is started with."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trialsite.launcher.connections import ADMIN, ROLES
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.keys import Keyring
from trialsite.launcher.layout import Layout

DEVELOPMENT = "trialsite.settings.development"
TEST = "trialsite.settings.test"
HOST_NAMES = {"localhost": "127.0.0.1"}
PORT_LIMIT = 65536
WITHHELD = (*ROLES, ADMIN, "REDIS_URL", "PYTHONHOME", "PYTHONPATH")


@dataclass(frozen=True)
class Choices:
    """What the person at the keyboard chose by environment variables."""

    settings: str
    host: str = "127.0.0.1"
    port: int = 8000
    demo: bool = True
    #: How many times the demo study holds its people, where somebody says so.
    scale: int | None = None
    given: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(
        cls, settings: str = DEVELOPMENT, environ: Mapping[str, str] = os.environ
    ) -> "Choices":
        """Read HOST, PORT, DEMO and SCALE."""
        return cls(
            settings=settings,
            host=HOST_NAMES.get(environ.get("HOST") or "localhost", environ.get("HOST", "")),
            port=_port(environ.get("PORT") or str(cls.port)),
            demo=(environ.get("DEMO") or "1") != "0",
            scale=_scale(environ.get("SCALE") or ""),
            given=dict(environ),
        )

    @property
    def base_url(self) -> str:
        """The address people use: by name, since passkeys and Secure cookies need one."""
        return self.given.get("BASE_URL") or f"http://localhost:{self.port}"


def _port(text: str) -> int:
    if not (text.isdigit() and 0 < int(text) < PORT_LIMIT):
        raise LauncherError(f"PORT={text} is no port: give a number from 1 to {PORT_LIMIT - 1}.")
    return int(text)


def _scale(text: str) -> int | None:
    if not text:
        return None
    if not (text.isdigit() and int(text)):
        raise LauncherError(f"SCALE={text}: give a whole number, how many times over.")
    return int(text)


def child_environment(layout: Layout, choices: Choices, keyring: Keyring) -> dict[str, str]:
    """Return what every child of the product gets; addresses of databases are added per child."""
    environment = tool_environment(layout, choices.given)
    environment.update(
        DJANGO_SETTINGS_MODULE=choices.settings,
        SECRET_KEY=choices.given.get("SECRET_KEY") or keyring.secret_key,
        FIELD_KEYS=choices.given.get("FIELD_KEYS") or keyring.field_keys,
        IDENTITY_KEYS=choices.given.get("IDENTITY_KEYS") or keyring.identity_keys,
        IDENTITY_INDEX_KEY=choices.given.get("IDENTITY_INDEX_KEY") or keyring.identity_index_key,
        DEMO="1" if choices.demo else "0",
        HOST=choices.host,
        PORT=str(choices.port),
        BASE_URL=choices.base_url,
        TRIALSITE_VAR=str(layout.var),
        PYTHONUNBUFFERED="1",
    )
    return environment


def tool_environment(layout: Layout, given: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's environment with our programs first and a home that can be written.

    uv, npm and Chromium all insist on a home directory; service accounts often have none.
    """
    environment = {name: value for name, value in given.items() if name not in WITHHELD}
    search = given.get("PATH") or os.defpath
    environment["PATH"] = f"{layout.venv / 'bin'}{os.pathsep}{search}"
    environment["VIRTUAL_ENV"] = str(layout.venv)
    home = given.get("HOME")
    if not (home and Path(home).is_dir() and os.access(home, os.W_OK)):
        substitute = layout.cache / "home"
        substitute.mkdir(parents=True, exist_ok=True)
        environment["HOME"] = str(substitute)
    return environment
