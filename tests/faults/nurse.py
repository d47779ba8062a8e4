"""A nurse's script: signs in through the pages, then saves through the API and keeps a ledger."""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.stack import totp

FAILURES = (
    OSError,
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ValueError,
)
#: What no refusal may tell: the program's inside, or the database's words.
INSIDE = re.compile(r"Traceback|psycopg|OperationalError|SELECT |UPDATE |INSERT |/site-packages/")


class Browser:
    """Cookies, CSRF token and JSON; one per thread."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.token = ""

    def page(self, path: str, fields: dict[str, str] | None = None) -> str:
        body = None if fields is None else urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(
            self.address + path, body, {"Referer": self.address + path}
        )
        with self.opener.open(request, timeout=60) as answer:
            text = answer.read().decode()
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', text)
        self.token = found.group(1) if found else self.token
        return str(text)

    def sign_in(self, email: str, password: str, secret: str) -> None:
        """Both factors; the code is the one that the phone shows when it is asked for."""
        self.page("/account/login/")
        self.page(
            "/account/login/",
            {"csrfmiddlewaretoken": self.token, "login": email, "password": password},
        )
        text = self.page(
            "/account/second-factor/code/",
            {"csrfmiddlewaretoken": self.token, "code": totp(secret)},
        )
        assert "account/logout" in text, text[:2000]

    def twin(self) -> Browser:
        """The same session for another thread."""
        other = Browser(self.address)
        for cookie in self.jar:
            other.jar.set_cookie(cookie)
        other.token = self.token
        return other

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[Any, str]:
        """The JSON answer and its ETag; HTTPError for a refusal."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.address}/api/v1/{path}",
            data,
            {"Content-Type": "application/json", "X-CSRFToken": self.token, **headers},
            method=method,
        )
        with self.opener.open(request, timeout=60) as answer:
            return json.load(answer), answer.headers.get("ETag", "")


@dataclass
class Saver(threading.Thread):
    """Saves one record over and over with a new value; every acknowledged save is written down."""

    browser: Browser
    record: str
    #: The values that it saves begin after this one.
    begun: int = 0
    acknowledged: dict[int, int] = field(default_factory=dict)
    #: How saves failed: by the answer's status, or without an answer.
    failed: Counter[str] = field(default_factory=Counter)
    #: Answers that told of the inside.
    indiscreet: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        value = self.begun
        while not self.stopping.is_set():
            value += 1
            try:
                self._save(value)
            except urllib.error.HTTPError as refusal:
                self._note(refusal)
                self.stopping.wait(0.05)
            except FAILURES:
                self.failed["unanswered"] += 1
                self.stopping.wait(0.05)

    def _note(self, refusal: urllib.error.HTTPError) -> None:
        self.failed[f"{refusal.code}"] += 1
        with suppress(*FAILURES):
            said = refusal.read().decode(errors="replace")
            if INSIDE.search(said):
                self.indiscreet.append(said)

    def _save(self, value: int) -> None:
        path = f"crf/vs/{self.record}/"
        _stands, version = self.browser.call("GET", path)
        body = {"values": {"comment": f"save {value}", "heart_rate": 60 + value % 60}}
        _answer, tag = self.browser.call("PUT", path, body, **{"If-Match": version})
        self.acknowledged[int(tag.strip('"'))] = value
