"""Launchers that end with the test, on data below a directory every account may enter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launcher.launching import Launcher


@pytest.fixture(scope="module")
def open_directory() -> Iterator[Path]:
    """A directory PostgreSQL's account can reach; pytest's own are closed to it."""
    directory = Path(tempfile.mkdtemp(prefix="trialsite-launcher-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def launcher(open_directory: Path) -> Iterator[Launcher]:
    """A launcher on data that the tests of one module share."""
    one = Launcher(open_directory / "var")
    yield one
    one.clean_up()


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Launcher]:
    """A launcher on data that do not exist yet."""
    one = Launcher(tmp_path / "var")
    yield one
    one.clean_up()
