"""A small client of the API, with nothing but Python's own library.

    TRIALSITE_TOKEN=trialsite_... python trialsite_client.py https://trialsite.example ./data

saves every dataset you may export, each checked against its SHA-256. `Trialsite` also reads
lists page by page and saves a form the way the pages do.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
import uuid
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class RefusedError(Exception):
    """The server's answer to a request it refused (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title', '')}: {problem.get('detail', '')}")
        self.status, self.problem = status, problem


class Trialsite:
    """The API of one study, in the name of a token's person."""

    def __init__(self, address: str, token: str) -> None:
        self.root = address.rstrip("/") + "/api/v1/"
        self.token = token

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request; the open answer, or RefusedError."""
        headers["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if method == "POST":
            # The same request sent again after a lost answer is answered, not done twice.
            headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        url = path if path.startswith("http") else self.root + path
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
        try:
            return urllib.request.urlopen(request, timeout=60)  # noqa: S310
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(error.code, json.loads(error.read() or b"{}")) from None

    def get(self, path: str) -> Any:
        """One JSON answer."""
        with self.ask("GET", path) as answer:
            return json.load(answer)

    def every(self, path: str) -> Iterator[dict[str, Any]]:
        """Each row of a list, page after page."""
        following: str | None = path
        while following:
            page = self.get(following)
            yield from page["results"]
            following = page["next"]

    def save_dataset(self, name: str, place: Path, form: str = "csv") -> int:
        """Save a dataset, whole and unaltered, or not at all; the number of its rows."""
        beside = place.with_suffix(place.suffix + ".part")
        digest = hashlib.sha256()
        with (
            self.ask("GET", f"datasets/{name}/?format={form}") as answer,
            beside.open("wb") as file,
        ):
            told = b64decode(answer.headers["Repr-Digest"].split(":")[1])
            rows = int(answer.headers["X-Row-Count"])
            while block := answer.read(1 << 16):
                digest.update(block)
                file.write(block)
        if digest.digest() != told:
            beside.unlink()
            raise OSError(f"{name} did not arrive as it was sent")
        beside.replace(place)
        return rows

    def save_form(self, form: str, record: str, **values: str) -> dict[str, Any]:
        """Change items of a form; RefusedError 412 where somebody else saved first."""
        now = self.get(f"crf/{form}/{record}/")
        body = {name: now[name] for name in ("units", "missing", "confirmed")}
        body["values"] = now["values"] | values
        match = {"If-Match": f'"{now["version"]}"'}
        with self.ask("PUT", f"crf/{form}/{record}/", body, **match) as answer:
            saved: dict[str, Any] = json.load(answer)
        return saved


def main() -> None:
    address, directory = sys.argv[1], Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    study = Trialsite(address, os.environ["TRIALSITE_TOKEN"])
    for dataset in study.every("datasets/"):
        name = dataset["name"]
        print(name, study.save_dataset(name, directory / f"{name}.csv"))


if __name__ == "__main__":
    main()
