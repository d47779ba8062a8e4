"""The archive itself: every file with its hash, and a manifest that says what they are.

One snapshot of the database, read by the person's own rights. The same data give the same
bytes of every file; only the manifest tells when and for whom (trust EX1, EX2).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any

from django.conf import settings

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.protocols import protocol_of
from trialsite.casebook.selectors import current_version
from trialsite.core.clock import trial_now
from trialsite.core.software import NAME, software_version
from trialsite.crf import codebook
from trialsite.crf.odm import document
from trialsite.exports.odm_data import snapshot
from trialsite.exports.python_rows import Block
from trialsite.exports.registry import datasets
from trialsite.exports.writing import Format, blocks_of, copy_to, sites_of

MANIFEST = "manifest.json"
#: An archive of the same data is the same; the oldest moment that the format can tell.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
RULES = (
    "CSV: UTF-8, RFC 4180, header line, empty = no value. Text that a spreadsheet would run as "
    "a formula, or that begins with an apostrophe, has an apostrophe in front; numbers are "
    "untouched. Bedside times are the site's wall clock; moments are UTC.",
    "Not de-identified.",
)


def write_archive(target: IO[bytes], *, by: User) -> dict[str, Any]:
    """Write every dataset the person may export, the codebook and both ODM files; the manifest."""
    now = trial_now()
    version = current_version()
    manifest = _head(by, now)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        files = [_add(archive, name, blocks) for name, blocks in _files(by, now)]
        manifest |= {
            "study": protocol_of(version.pk).study.study_id,
            "protocol_version": version.version,
            "files": files,
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=2).encode() + b"\n"
        archive.writestr(_info(MANIFEST), text)
    return manifest


def _head(by: User, now: dt.datetime) -> dict[str, Any]:
    sites = by.access.sites(Capability.EXPORT)
    return {
        "synthetic": settings.DEMO,
        "software": f"{NAME} {software_version()}",
        "as_of": now.astimezone(dt.UTC).isoformat(),
        "requested_by": by.full_name,
        "sites": list(Site.objects.filter(pk__in=sites).values_list("code", flat=True)),
        "rules": list(RULES),
    }


def _files(by: User, now: dt.datetime) -> Iterator[tuple[str, Iterable[Block]]]:
    for dataset in datasets().values():
        if by.can(dataset.needs):
            yield (
                f"datasets/{dataset.name}.csv",
                blocks_of(dataset, sites_of(dataset, by), Format.CSV),
            )
    version = current_version()
    book = codebook.as_csv(codebook.rows(version.pk))
    yield "codebook.csv", [(book.encode(), book.count("\n") - 1)]
    # The moment of making stands in the manifest alone; the protocol's own dates the metadata.
    yield "metadata.odm.xml", [(document(version, at=version.loaded_at), 0)]
    sites = by.access.sites(Capability.EXPORT) & by.access.sites(Capability.VIEW_CASEBOOK)
    yield "snapshot.odm.xml", snapshot(version, sites=sites, at=now)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _NO_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


def _add(archive: zipfile.ZipFile, name: str, blocks: Iterable[Block]) -> dict[str, Any]:
    with archive.open(_info(name), "w", force_zip64=True) as file:
        written = copy_to(file, blocks)
    size = archive.getinfo(name).file_size
    return {"name": name, "rows": written.rows, "bytes": size, "sha256": written.sha256}


class DamagedPackageError(Exception):
    """The archive is not what its manifest says."""


def verify_archive(source: IO[bytes]) -> dict[str, Any]:
    """Check every file of an archive against its manifest, and return the manifest.

    Raises DamagedPackageError naming the first file that is altered, missing or foreign.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            manifest: dict[str, Any] = json.loads(archive.read(MANIFEST))
            _compare(archive, manifest)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, EOFError) as error:
        raise DamagedPackageError(f"this is no whole package: {error}") from error
    return manifest


def _compare(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
    told = {each["name"]: each["sha256"] for each in manifest["files"]}
    if sorted(archive.namelist()) != sorted([*told, MANIFEST]):
        raise DamagedPackageError("its files are not those of its manifest")
    for name, sha256 in told.items():
        digest = hashlib.sha256()
        with archive.open(name) as file:
            while block := file.read(1 << 16):
                digest.update(block)
        if digest.hexdigest() != sha256:
            raise DamagedPackageError(f"{name} is not what the manifest says")
