"""The OpenAPI description: valid, without a warning, and the one that is committed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.api.operations import operations
from tests.factories import ROOT

COMMITTED = ROOT / "docs/schema.yml"


def generate(path: Path) -> subprocess.CompletedProcess[str]:
    """The product's own schema, without the tests' apps."""
    command = ["manage.py", "spectacular", "--validate", "--fail-on-warn", "--lang", "en"]
    return subprocess.run(
        [sys.executable, *command, "--file", str(path)],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "trialsite.settings.development"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_committed_schema_is_current_and_has_no_warning(tmp_path):
    fresh = tmp_path / "schema.yml"
    made = generate(fresh)
    assert made.returncode == 0, made.stderr
    assert fresh.read_text() == COMMITTED.read_text(), (
        "docs/schema.yml is out of date: see docs/api.md"
    )


def test_the_schema_is_served_to_staff_and_names_every_operation(nurse):
    answer = nurse.get("schema/")
    schema = yaml.safe_load(answer.content)
    assert schema["openapi"].startswith("3.1")
    for operation in operations():
        if operation.route == "schema/":
            continue
        path = "/api/v1/" + operation.path({each: f"{{{each}}}" for each in operation.arguments})
        plains = ("slug/vs", "sites/001", "product-lots/001", "datasets/subjects", "forms/vs")
        path = path.replace("I.AE.TERM", "{item}")
        for plain in plains:
            name = {
                "forms/vs": "forms/{slug}",
                "sites/001": "sites/{code}",
                "product-lots/001": "product-lots/{code}",
            }.get(plain)
            name = name or ("datasets/{name}" if plain.startswith("datasets") else plain)
            path = path.replace(plain, name)
        assert operation.method.lower() in schema["paths"][path], str(operation)


def test_every_write_names_its_precondition_in_the_schema(nurse):
    schema = yaml.safe_load(nurse.get("schema/").content)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            names = {each["name"] for each in operation.get("parameters", [])}
            if method == "post":
                assert "Idempotency-Key" in names, path
            if method == "put":
                assert "If-Match" in names, path
            assert "default" in operation["responses"], path
