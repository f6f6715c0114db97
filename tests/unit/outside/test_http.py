"""An address that is asked and printed: nothing secret in it is repeated."""

from __future__ import annotations

from http.client import InvalidURL
from typing import TYPE_CHECKING

import pytest

from ledger.errors import InvalidInputError
from ledger.outside.http import UnreachableError, post, printable_address

if TYPE_CHECKING:
    from collections.abc import Callable


def ask(url: str) -> None:
    post(url, b"", {}, timeout_seconds=1, largest_bytes=1)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1:1/x",
        "https://user:secret@127.0.0.1:1/x",
        "http://secret@127.0.0.1:1/",
        "http://@127.0.0.1:1/?secret",
        "http://user:secret@[::1]:1/x",
        "http://user:sec ret@127.0.0.1:1/x",
        "http://user:sec/ret@127.0.0.1:1/x",
        "http://127.0.0.1:secret/",
        "http://127.0.0.1:1/a b?token=secret",
        "http://127.0.0.1:1/x?token=se cret",
        "http://127.0.0.1:1/x?token=secret\r\nX-Header: y",
        "http://127.0.0.1:1/\tx?token=secret",
        "http://127.0.0.1:1/x?token=secret\x00",
        "http://127.0.0.1:1/x?token=secret\x7f",
        "http://127.0.0.1:1/x?token=secret\u2028",
        "http://127.0.0.1:1/é?token=secret",
        "http://127.0.0.1 .example:1/?token=secret",
        " http://127.0.0.1:1/?token=secret",
        "http://127.0.0.1:1/?token=secret\n",
        "secret://127.0.0.1/",
        "http:///secret",
    ],
)
@pytest.mark.parametrize("use", [ask, lambda url: printable_address(url, "the witness's")])
def test_an_address_with_a_secret_or_out_of_form_is_refused_and_not_repeated(
    url: str, use: Callable[[str], object]
) -> None:
    with pytest.raises(InvalidInputError, match=r"^the (witness's )?address ") as caught:
        use(url)
    for said in (caught.value.message, caught.value.next_step or "", repr(caught.value)):
        assert "sec" not in said
        assert "token" not in said


def test_who_gives_a_password_is_told_to_leave_it_out() -> None:
    with pytest.raises(InvalidInputError, match="a user or a password") as caught:
        printable_address("http://user:secret@host/x", "the witness's")
    assert "without" in str(caught.value.next_step)


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("http://w.example/a/b?token=secret#secret", "http://w.example/a/b"),
        ("HTTPS://W.example:8443", "https://w.example:8443"),
        ("http://[::1]:8080/w1", "http://[::1]:8080/w1"),
        ("http://w.example/a%20b", "http://w.example/a%20b"),
    ],
)
def test_what_is_printed_has_no_query(url: str, printed: str) -> None:
    assert printable_address(url, "the witness's") == printed


def test_the_words_of_the_http_library_about_an_address_are_not_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InvalidURL("nonnumeric port: 'secret@host'")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    with pytest.raises(UnreachableError, match="not a URL") as caught:
        ask("http://127.0.0.1:1/")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
