"""A nurse's script: signs in through the pages, then saves through the API and keeps a ledger."""

from __future__ import annotations

import http.cookiejar
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.stack import totp

FAILURES = (OSError, urllib.error.URLError, ConnectionError, TimeoutError, ValueError)


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
    acknowledged: dict[int, int] = field(default_factory=dict)
    failures: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        value = 0
        while not self.stopping.is_set():
            value += 1
            try:
                self._save(value)
            except FAILURES:
                self.failures += 1
                self.stopping.wait(0.05)

    def _save(self, value: int) -> None:
        path = f"crf/vs/{self.record}/"
        _stands, version = self.browser.call("GET", path)
        body = {"values": {"comment": f"save {value}", "heart_rate": 60 + value % 60}}
        _answer, tag = self.browser.call("PUT", path, body, **{"If-Match": version})
        self.acknowledged[int(tag.strip('"'))] = value
