"""What stands between a running database and a running product, skipped where unchanged."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trialsite.launcher.commands import run_for_output, run_logged
from trialsite.launcher.connections import ADMIN, Connections
from trialsite.launcher.environment import Choices, child_environment
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.keys import Keyring
from trialsite.launcher.layout import Layout
from trialsite.launcher.progress import step
from trialsite.launcher.stamps import Stamp, digest_of_files, digest_of_listing, digest_of_text

CONTENT_STAMP = "content-"
PACKAGES = ("trialsite", "screening", "visits", "samples", "outcomes")


@dataclass(frozen=True)
class Preparation:
    """Runs the product's own management commands with the owner's rights."""

    layout: Layout
    choices: Choices
    keyring: Keyring
    connections: Connections

    def create_roles(self, *, createdb: bool = False) -> None:
        """Create roles and database where an administrator's address is known."""
        if ADMIN not in self.connections.database:
            self._require_access()
            return
        options = ["--createdb"] if createdb else []
        action = partial(self._manage, "create_roles", *options)
        self._once("roles", "Database roles", action, *options)

    def migrate(self) -> None:
        """Bring the tables up to the code."""
        self._once("migrate", "Database tables", partial(self._manage, "migrate", "--noinput"))

    def compile_messages(self) -> None:
        """Compile the translations."""
        sources = [path for name in PACKAGES for path in self._found(name, "**/*.po")]
        compiled = all(path.with_suffix(".mo").exists() for path in sources)
        digest = digest_of_files(sources)
        action = partial(self._manage, "compile_messages")
        self._unless("messages", digest, "Translations", action, intact=compiled)

    def collect_static(self) -> None:
        """Gather style sheets, scripts and icons under names that change with their content."""
        folders = [path for name in PACKAGES for path in self._found(name, "**/static")]
        locks = [self.layout.checkout / n for n in ("requirements.lock", "package-lock.json")]
        settings = self.layout.checkout / "trialsite" / "settings"
        digest = digest_of_text(
            digest_of_listing([*folders, settings]), digest_of_files(locks), self.choices.settings
        )
        present = (self.layout.var / "static").is_dir()
        action = partial(self._manage, "collectstatic", "--noinput")
        self._unless("static", digest, "Static files", action, intact=present)

    def fill(self) -> str:
        """Load the demo study, or invite the first administrator, on the first start only."""
        content = "demo" if self.choices.demo else "empty"
        stamp = Stamp(self.layout.stamps / f"{CONTENT_STAMP}{self._database_digest[:16]}")
        told = ("load_demo", "--scale", str(self.choices.scale or 1))
        if stamp.matches(content):
            if self.choices.demo and self.choices.scale is not None:
                self._manage(*told)  # which refuses where it is there another number of times
            return ""
        if stamp.matches("empty" if self.choices.demo else "demo"):
            raise LauncherError(self._wrong_content())
        if self.choices.demo:
            with step("Demo study"):
                self._manage(*told)
            output = ""
        else:
            with step("First administrator"):
                output = self._manage_for_output("create_administrator")
        stamp.write(content)
        return output

    def note_content(self, *, demo: bool) -> None:
        """Remember what a restored database holds: it is never filled a second time."""
        content = "demo" if demo else "empty"
        Stamp(self.layout.stamps / f"{CONTENT_STAMP}{self._database_digest[:16]}").write(content)

    def sign_ins(self) -> str:
        """Return how to sign in to the demo."""
        return self._manage_for_output("demo_signins") if self.choices.demo else ""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command that may build and guard the database."""
        base = child_environment(self.layout, self.choices, self.keyring)
        return base | self.connections.setup

    @property
    def _database_digest(self) -> str:
        database = self.connections.database["DATABASE_URL"].rpartition("@")[2]
        return digest_of_text(self.connections.identity or database)

    def _once(self, name: str, title: str, action: Callable[[], None], *details: str) -> None:
        """Run a step unless neither the code nor our own database changed since.

        A server that is not ours may have been restored meanwhile, so nothing is assumed there.
        """
        packages = [self.layout.checkout / package for package in PACKAGES]
        code = digest_of_listing(packages, (".py", ".sql"))
        secrets = digest_of_text(*sorted(self.connections.database.values()))
        digest = digest_of_text(code, secrets, self._database_digest, *details)
        ours = self.connections.identity is not None
        self._unless(name, digest, title, action, intact=ours)

    def _unless(
        self, name: str, digest: str, title: str, action: Callable[[], None], *, intact: bool
    ) -> None:
        stamp = Stamp(self.layout.stamps / name)
        if intact and stamp.matches(digest):
            return
        stamp.clear()
        with step(title):
            action()
        stamp.write(digest)

    def _found(self, package: str, pattern: str) -> list[Path]:
        return list((self.layout.checkout / package).glob(pattern))

    def _manage(self, *arguments: str) -> None:
        run_logged(
            [str(self.layout.python), "manage.py", *arguments],
            environment=self.environment,
            directory=self.layout.checkout,
            log=self.layout.log("setup"),
        )

    def _manage_for_output(self, *arguments: str) -> str:
        return run_for_output(
            [str(self.layout.python), "manage.py", *arguments],
            environment=self.environment,
            directory=self.layout.checkout,
            log=self.layout.log("setup"),
        )

    def _require_access(self) -> None:
        """Check on a given server that both roles can sign in, or say what is to be done."""
        complaint = run_for_output(
            [str(self.layout.python), "-c", _SIGN_IN],
            environment=self.environment,
            directory=self.layout.checkout,
            log=self.layout.log("setup"),
        )
        if complaint:
            raise LauncherError(f"{_NOT_INITIALISED}\n  {complaint.strip()}")

    def _wrong_content(self) -> str:
        held = "no demo study" if self.choices.demo else "the demo study"
        return (
            f"This database was started with {held}, and the two are never mixed.\n"
            f"To start it again: DEMO={int(not self.choices.demo)} make run\n"
            f"Use other data for DEMO={int(self.choices.demo)}, for example: "
            f"TRIALSITE_VAR=var/{'demo' if self.choices.demo else 'study'} "
            f"DEMO={int(self.choices.demo)} make run"
        )


_SIGN_IN = """\
import os, psycopg
try:
    for name in ("DATABASE_OWNER_URL", "DATABASE_URL"):
        psycopg.connect(os.environ[name], connect_timeout=10).close()
except psycopg.Error as error:
    print(error)
"""
_NOT_INITIALISED = """\
The server of DATABASE_URL is not initialised for Trialsite. Either
  - give DATABASE_ADMIN_URL of a superuser as well: roles and database are then created, or
  - let its administrator run the SQL printed by
      python3 -m trialsite.launcher manage create_roles --print-sql
    or, where the roles exist already, give DATABASE_OWNER_URL, DATABASE_PUBLIC_URL and
    DATABASE_BACKUP_URL with their passwords.
What the server answered:"""
