"""What is installed is pinned, hashed, and free of addresses."""

from __future__ import annotations

import json
import re

import pytest

from tests.deployment.conftest import CHECKOUT

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock")
LISTS = ("requirements.txt", "requirements-dev.txt", "requirements-uv.txt")


def _requirements(name: str) -> list[str]:
    lines = (CHECKOUT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and line[0] not in "#-"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_with_its_hashes(name: str) -> None:
    text = (CHECKOUT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert entries
    assert [e for e in entries if not re.match(r"[\w.-]+(\[[\w,]+\])?==\S+ ", e)] == []
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


@pytest.mark.parametrize("name", LISTS)
def test_every_listed_package_is_in_the_lock_beside_it(name: str) -> None:
    lock = (CHECKOUT / name.replace(".txt", ".lock")).read_text(encoding="utf-8").lower()
    pins = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    pinned = {re.sub(r"[-_.]+", "-", pin) for pin in pins}
    listed = [re.split(r"[\[<>=~! ]", line)[0].lower() for line in _requirements(name)]
    assert [p for p in listed if re.sub(r"[-_.]+", "-", p) not in pinned] == []


def test_every_package_of_the_product_has_its_reason() -> None:
    assert [line for line in _requirements("requirements.txt") if " # " not in line] == []


def test_the_node_lock_names_no_download_address() -> None:
    lock = json.loads((CHECKOUT / "package-lock.json").read_text(encoding="utf-8"))
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    assert [path for path, package in packages.items() if "resolved" in package] == []
    assert [path for path, package in packages.items() if "integrity" not in package] == []


def test_ci_runs_the_gates_and_the_tests() -> None:
    script = (CHECKOUT / ".ci/run").read_text(encoding="utf-8")
    assert script.index("make gates") < script.index("make test")
    assert "set -euo pipefail" in script
