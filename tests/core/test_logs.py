"""Whoever reads a request's number out from an error page is found in the log."""

from __future__ import annotations

import logging
import re

import pytest
from django.test import Client

from tests.factories import sign_in

NUMBER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def written(records: list[logging.LogRecord]) -> list[str]:
    """The lines that the product's own handler makes of these records."""
    (console,) = (each for each in logging.getLogger().handlers if each.name == "console")
    return [console.format(record) for record in records if console.filter(record)]


@pytest.mark.parametrize("path", ["/people/", "/no/such/page/"])
def test_the_number_of_an_error_page_stands_in_its_line_of_the_log(cast, caplog, path):
    page = sign_in(cast.nurse).get(path).content.decode()
    (number,) = set(NUMBER.findall(page))
    (line,) = [each for each in written(caplog.records) if path in each]
    assert line.endswith(f"{path} request {number}")


def test_a_line_of_no_request_is_left_as_it_is(caplog):
    logging.getLogger("trialsite").warning("the broker is away")
    (line,) = written(caplog.records)
    assert line.endswith("the broker is away")


def test_the_log_names_no_words_that_were_searched_for(cast, caplog):
    Client().get("/no/such/page/", {"q": "Zhang San"})
    sign_in(cast.nurse).get("/no/such/page/", {"q": "Zhang San"})
    assert not [each for each in written(caplog.records) if "Zhang" in each]
