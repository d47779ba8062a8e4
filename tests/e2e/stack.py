"""The real product for the browser: granian on a database of its own, as the application's role.

What a test of a journey uses beside the fixtures of `conftest`:
`sign_in_through_the_pages`, `totp`, `chinese`, `assert_accessible`, `assert_no_sideways_scroll`,
`landed`, `onward`, `screenshot`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.utils.translation import gettext, override
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import databases
from tests.factories import PASSWORD, sign_in
from tests.ports import free_port
from tests.waiting import until
from trialsite.access.models import User

VAR = databases.ROOT / "var"
SCREENSHOTS = VAR / "screenshots"
#: A loaded machine is slow, not wrong: what arrives in time is not waited for.
PATIENCE = 300.0
LOADED = 90


@dataclass(frozen=True)
class Stack:
    """A running product: its address, its database, its process."""

    url: str
    database: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End it as a power cut would, children included."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.kill()


def serve(database: str, **environment: str) -> Stack:
    """Start the web server on an existing database; it answers when this returns."""
    port = free_port()
    url = f"http://localhost:{port}"
    log = VAR / "log" / f"{database}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if "OWNER" not in name}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("granian")),
                *("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
                *("--workers", "1", "--blocking-threads", "4", "--no-ws"),
                "trialsite.wsgi:application",
            ],
            cwd=databases.ROOT,
            env=inherited
            | {
                "DATABASE_URL": databases.app_url(database),
                "DJANGO_SETTINGS_MODULE": "trialsite.settings.test",
                "BASE_URL": url,
                "PYTHONPATH": str(databases.ROOT),
            }
            | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    stack = Stack(url, database, process, log)
    _await(stack)
    return stack


def _await(stack: Stack) -> None:
    def answers() -> bool:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{stack.url}/healthz/live", timeout=2).close()
            return True
        return stack.process.poll() is not None

    until(answers, within=PATIENCE, what="the server answers")
    if stack.process.poll() is not None:
        raise RuntimeError(f"The server did not come up:\n{stack.log.read_text()[-4000:]}")


@contextlib.contextmanager
def running(database: str, source: str = "", **environment: str) -> Iterator[Stack]:
    """The product on a fresh database, a copy of the template or of another one."""
    databases.clone(database, source)
    stack = serve(database, **environment)
    try:
        yield stack
    finally:
        stack.stop()
        databases.drop(database)


_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
"""


@dataclass
class Visitors:
    """Opens pages as people and keeps what the browser complains about."""

    browser: Browser
    stack: Stack
    complaints: list[str] = field(default_factory=list)
    _expected: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def __call__(
        self,
        user: User | None = None,
        path: str = "/",
        *,
        width: int = 1440,
        height: int = 900,
        language: str = "en",
        theme: str = "light",
        javascript: bool = True,
        touch: bool = False,
        **options: Any,
    ) -> Page:
        """A browser of its own, on this page; with a user, signed in without the pages."""
        context = self.browser.new_context(
            base_url=self.stack.url,
            viewport={"width": width, "height": height},
            java_script_enabled=javascript,
            has_touch=touch,
            locale="zh-CN" if language == "zh-hans" else "en-GB",
            **options,
        )
        self._contexts.append(context)
        context.set_default_timeout(1000 * LOADED)
        cookies = {settings.LANGUAGE_COOKIE_NAME: language, "theme": theme}
        if user is not None:
            client = sign_in(user)
            cookies["sessionid"] = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies(
            [
                {"name": name, "value": value, "url": self.stack.url}
                for name, value in cookies.items()
            ]
        )
        context.add_init_script(_REPORT_VIOLATIONS)
        page = context.new_page()
        self.watch(page)
        page.goto(path)
        return page

    def watch(self, page: Page) -> None:
        """Keep this page's errors; popups and second tabs need to be told of."""
        page.on("console", lambda m: self._note(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("requestfailed", lambda r: self._note(f"failed {r.url} {r.failure}"))

    def expect(self, pattern: str) -> None:
        """Complaints that match are part of this test (a refused save, an unreachable server)."""
        self._expected.append(pattern)

    def _note(self, text: str) -> None:
        self.complaints.append(text)

    def leave(self) -> None:
        """Close everything; any complaint not expected fails the test."""
        for context in self._contexts:
            context.close()
        unexpected = [
            text
            for text in self.complaints
            if "ERR_ABORTED" not in text
            and not any(re.search(pattern, text) for pattern in self._expected)
        ]
        assert not unexpected, "\n".join(unexpected)


_STEP = 30
_used: set[tuple[str, int]] = set()


def totp(secret: str, *, at: float | None = None) -> str:
    """The code that an authenticator app shows for this secret (RFC 6238)."""
    counter = struct.pack(">Q", int((time.time() if at is None else at) // _STEP))
    key = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    digest = hmac.new(key, counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06d}"


def fresh_totp(secret: str) -> str:
    """A code not used before in this run: a code is good once, so this may wait for the next."""

    def unused() -> bool:
        at = time.time()
        return (secret, int(at // _STEP)) not in _used and at % _STEP < _STEP - 2

    until(unused, within=2 * _STEP, what="a step whose code is unused")
    _used.add((secret, int(time.time() // _STEP)))
    return totp(secret)


def sign_in_through_the_pages(
    page: Page, user: User, secret: str, *, password: str = PASSWORD
) -> None:
    """Sign in as a person does: address, password, code of the phone."""
    page.goto("/account/login/")
    page.fill("input[name=login]", user.email)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_selector("input[name=code]")
    page.fill("input[name=code]", fresh_totp(secret))
    page.press("input[name=code]", "Enter")
    page.wait_for_selector(".topbar")


def chinese(text: str) -> str:
    """What the catalogue says for this text; one that it does not hold fails the test."""
    with override("zh-hans"):
        said = gettext(text)
    assert said != text, f"no Chinese for “{text}”"
    return said


def assert_accessible(page: Page) -> None:
    """axe finds nothing on the page, when all of it is there."""
    page.wait_for_load_state("load")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


_TOO_WIDE = """() => document.documentElement.scrollWidth <= window.innerWidth ? []
  : [...document.body.querySelectorAll("*")]
      .filter((each) => each.getBoundingClientRect().right > window.innerWidth + 1)
      .map((each) => each.outerHTML.slice(0, 100))"""


def assert_no_sideways_scroll(page: Page) -> None:
    """The page fits its window; wide tables scroll inside themselves."""
    page.wait_for_load_state("load")
    wide = page.evaluate(_TOO_WIDE)
    assert not wide, "\n".join(wide)


@contextlib.contextmanager
def onward(page: Page) -> Iterator[None]:
    """What is done inside leads to a new page, and afterwards that page is there.

    For an act whose outcome the page before it shows as well: nothing may look for it there.
    """
    with page.expect_navigation():
        yield
    landed(page)


def landed(page: Page) -> None:
    """The page has loaded and moved to the part its address names: nothing moves any more.

    To be called when the new page is there by what it shows. A tap while a page still scrolls
    goes down on a button and comes up beside it.
    """
    page.wait_for_load_state("load")
    if part := urllib.parse.urlsplit(page.url).fragment:
        expect(page.locator(f"#{part}")).to_be_in_viewport()


def screenshot(page: Page, name: str, *, full_page: bool = False) -> Path:
    """Keep how the page looks, under var/screenshots/."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=full_page)
    return path
