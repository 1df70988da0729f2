"""Logs hold what is on the list, and of an exception nothing that somebody typed."""

from __future__ import annotations

import sys

from signaling.logs import bare_exception, only_allowed


def test_a_field_that_is_not_on_the_list_is_dropped_and_named() -> None:
    line = only_allowed(None, "info", {"event": "http", "status": 200, "email": "ada@x.test", "person": "1"})
    assert line == {"event": "http", "status": 200, "what": "dropped: email, person"}


def test_an_exception_is_its_type_and_its_places() -> None:
    try:
        try:
            raise KeyError("ada@x.test")
        except KeyError as error:
            raise ValueError("typed by ada") from error
    except ValueError:
        line = bare_exception(None, "error", {"event": "failed", "exc_info": sys.exc_info()})
    assert line["exception"].startswith("ValueError < KeyError at test_logs.py:")
    assert "ada" not in str(line)
    assert "test_an_exception_is_its_type_and_its_places" in line["exception"]


def test_without_an_exception_nothing_is_added() -> None:
    assert bare_exception(None, "info", {"event": "x", "exc_info": None}) == {"event": "x"}
