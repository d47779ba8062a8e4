"""The demonstration's amendment: the protocol's second version, read from the first one's file.

Whoever was enrolled and never treated is replaced: two places more. One ethics committee
approved it first, one later, one has not yet.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from trialsite.access.context import context_of
from trialsite.access.models import Site, User
from trialsite.casebook.models import ProtocolVersion
from trialsite.casebook.protocols import approve_version, register_version
from trialsite.core.clock import trial_today
from trialsite.core.context import Channel, acting
from trialsite.crf.registry import forms, items_by_oid

_VERSION = re.compile(r'^version: "([^"]+)"$', re.MULTILINE)
_TARGET = re.compile(r"^(  target_enrolment: \{value: )(\d+)(,.*)$", re.MULTILINE)
_PLACES_MORE = 2


def with_places(text: str, times: int) -> str:
    """The protocol's text with so many times the places; LookupError as for the amended one."""
    if _TARGET.search(text) is None:
        raise LookupError("the protocol's target is not where it was")
    return _TARGET.sub(lambda found: f"{found[1]}{int(found[2]) * times}{found[3]}", text, count=1)


def amended(text: str) -> str:
    """The text of the amended protocol; LookupError where the file says it otherwise."""
    version, target = _VERSION.search(text), _TARGET.search(text)
    if version is None or target is None:
        raise LookupError("the protocol's version and target are not where they were")
    text = _VERSION.sub('version: "1.1-SYNTHETIC"', text, count=1)
    more = int(target[2]) + _PLACES_MORE
    return _TARGET.sub(lambda found: f"{found[1]}{more}{found[3]}", text, count=1)


def register_amendment(*, by: User) -> ProtocolVersion:
    """Keep the second version; it is in force nowhere yet."""
    text = amended(Path(settings.PROTOCOL_FILE).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "amendment-SYNTHETIC.yaml"
        path.write_text(text, encoding="utf-8")
        with acting(context_of(by, Channel.COMMAND)):
            return register_version(path, by=by, known_forms=forms(), known_items=items_by_oid())


def put_in_force(version: ProtocolVersion, sites: Iterable[Site], *, by: User) -> None:
    """From today at these sites."""
    with acting(context_of(by, Channel.COMMAND)):
        for site in sites:
            approve_version(
                site=site,
                version=version,
                effective_on=trial_today(site.time_zone),
                by=by,
                reference=f"EC-{site.code}-{version.version}",
            )
