"""Which software this is, as its footers, files and manifests say it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

NAME = "Trialsite"


def software_version() -> str:
    """The installed version, or the one of the source tree."""
    try:
        return version("trialsite")
    except PackageNotFoundError:
        return "0.1.0"
