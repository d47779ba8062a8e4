"""Every address of the product, found in the URLconf itself: none opens by being forgotten."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from tests.factories import make_user, sign_in
from trialsite.access.capabilities import Role
from trialsite.access.http import Audience, Policy, policy_of

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _views(
    resolver: URLResolver, prefix: str = "", namespace: str = ""
) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _views(entry, route, inner)
        elif isinstance(entry, URLPattern):
            yield route, f"{namespace}{entry.name}", entry.callback


VIEWS = sorted({(route, name): view for route, name, view in _views(get_resolver())}.items())
IDS = [f"{route or '/'} {name}" for (route, name), _view in VIEWS]

#: A value of each converter; no such thing exists.
SAMPLES = {"int": "0", "uuid": str(uuid.UUID(int=0)), "str": "no-such-thing", "slug": "no",
           "path": "no/such/thing"}  # fmt: skip
_CONVERTED = re.compile(r"<(?:(\w+):)?\w+>")
_GROUP = re.compile(r"\(\?P<\w+>((?:[^()\\]|\\.|\([^()]*\))*)\)")


def _sample_of_regex(group: re.Match[str]) -> str:
    found = (text for text in SAMPLES.values() if re.fullmatch(group.group(1), text))
    return next(found, "no")


def _path(route: str) -> str:
    """An address of the route, which the resolver itself confirms."""
    text = _GROUP.sub(_sample_of_regex, route)
    text = _CONVERTED.sub(lambda match: SAMPLES[match.group(1) or "str"], text)
    path = "/" + text.replace("^", "").replace("$", "").replace("\\", "")
    resolve(path)
    return path


def _methods(view: Callable[..., Any]) -> tuple[str, ...]:
    actions = getattr(view, "actions", None)
    return tuple(method.upper() for method in actions) if actions else ("GET",)


def _audience(view: Callable[..., Any], method: str = "GET") -> Audience | None:
    policy = policy_of(view, method)
    return policy.audience if isinstance(policy, Policy) else None


@pytest.mark.requirement("IA1")
@pytest.mark.parametrize(("where", "view"), VIEWS, ids=IDS)
def test_every_view_states_its_policy(where, view):
    for method in _methods(view):
        assert isinstance(policy_of(view, method), Policy), f"{method} {where} says nothing"


@pytest.mark.requirement("IA1")
@pytest.mark.parametrize(("where", "view"), VIEWS, ids=IDS)
def test_every_address_can_be_tried(where, view):
    assert _path(where[0])


@pytest.mark.requirement("IA1")
@pytest.mark.parametrize("method", METHODS)
def test_nobody_in_particular_gets_in(db, method):
    for (route, _name), view in VIEWS:
        if _audience(view, method) is Audience.ANYONE:
            continue
        path = _path(route)
        answer = Client().generic(method, path)
        if path.startswith("/api/"):
            assert answer.status_code in {401, 403, 405}, path
            assert answer["Content-Type"] == "application/problem+json", path
        else:
            refused = answer.status_code in {403, 405} or (
                answer.status_code == 302 and answer["Location"].startswith("/account/login/")
            )
            assert refused, (method, path, answer.status_code)


def test_open_to_everybody_is_a_short_list():
    names = {name for (route, name), view in VIEWS if _audience(view) is Audience.ANYONE}
    assert names <= {
        "access:invitation",
        "access:language",
        "account_login",
        "account_logout",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
        "account_reset_password_from_key_done",
        "dashboard:live",
        "dashboard:ready",
        "dashboard:theme",
        "mfa_authenticate",
    }


@pytest.mark.requirement("SA1")
def test_a_person_without_a_second_factor_gets_nowhere_but_to_enrolment(db):
    client = sign_in(make_user(Role.STUDY_ADMINISTRATOR, second_factor=False))
    for (route, _name), view in VIEWS:
        if _audience(view) is not Audience.STAFF:
            continue
        path = _path(route)
        answer = client.get(path)
        if path.startswith("/api/"):
            assert answer.status_code in {401, 403, 405}, path
        else:
            assert answer["Location"] == "/account/second-factor/app/", path


@pytest.mark.requirement("IA4")
def test_a_person_without_a_role_sees_no_data_anywhere(db):
    client = sign_in(make_user())
    for (route, name), view in VIEWS:
        policy = policy_of(view, "GET")
        if isinstance(policy, Policy) and policy.capability:
            assert client.get(_path(route)).status_code == 403, name


def _is_strict(csp: str) -> bool:
    directives = dict(part.strip().split(" ", 1) for part in csp.split(";") if part.strip())
    return (
        "unsafe" not in csp
        and directives["frame-ancestors"] == "'none'"
        and directives["base-uri"] == "'none'"
        and directives["object-src"] == "'none'"
        and directives["default-src"] == "'none'"
    )


@pytest.mark.requirement("TH2", "TH3")
@pytest.mark.parametrize("signed_in", [False, True])
def test_every_answer_carries_the_headers(cast, signed_in):
    client = sign_in(cast.administrator) if signed_in else Client()
    paths = [_path(route) for (route, name), _view in VIEWS]
    for path in [*paths, "/no-such-page/"]:
        answer = client.get(path)
        assert _is_strict(answer["Content-Security-Policy"]), path
        assert answer["X-Content-Type-Options"] == "nosniff", path
        assert answer["X-Frame-Options"] == "DENY", path
        assert answer["Referrer-Policy"] == "same-origin", path
        if signed_in:
            assert "no-store" in answer["Cache-Control"], path


@pytest.mark.requirement("TH2")
def test_no_page_carries_inline_style_or_script(cast):
    client = sign_in(cast.administrator)
    for (route, name), _view in VIEWS:
        answer = client.get(_path(route))
        if answer["Content-Type"].startswith("text/html") and answer.content:
            page = answer.content.decode()
            assert " style=" not in page, name
            assert "<style" not in page, name
            assert " onclick=" not in page, name


@pytest.mark.requirement("TH4")
def test_no_get_changes_anything_but_the_trail(cast):
    from django.apps import apps

    transient = {"sessions", "audit"}
    models = [model for model in apps.get_models() if model._meta.app_label not in transient]

    def digest() -> Any:
        from tests.factories import given

        read = given(lambda: [(m._meta.label, list(m._base_manager.values_list())) for m in models])
        return read()

    client = sign_in(cast.administrator)
    before = digest()
    for (route, _name), _view in VIEWS:
        client.get(_path(route))
    assert digest() == before
