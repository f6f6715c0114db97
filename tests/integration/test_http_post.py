"""One POST to somebody who wants to keep the asker waiting: it ends at its deadline, whatever they send."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from ledger.outside.http import Reply, UnreachableError, post
from tests.support.timestamp_authority import make_pair, make_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.timestamp_authority import Pair

    Talk = Callable[["Server"], None]

DEADLINE_SECONDS = 1
PATIENCE_SECONDS = 6
"""Far above the deadline, and far below what a server here goes on for."""
PACE_SECONDS = 0.2
GIVES_UP_SECONDS = 20
STUCK_SECONDS = 2
"""For one call of a server here, when nobody takes what it sends."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


class Server:
    """One accepted connection, and when the test is over."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self.connection = connection
        self._over = over
        self._until = time.monotonic() + GIVES_UP_SECONDS

    def listens(self) -> bool:
        """Whether somebody may still be waiting."""
        return not self._over.is_set() and time.monotonic() < self._until

    def say(self, data: bytes) -> None:
        self.connection.sendall(data)

    def hear(self) -> None:
        """Take the question, so that closing does not throw the answer away with it."""
        heard = b""
        while not heard.endswith(b"question"):
            heard += self.connection.recv(65_536)

    def drip(self, data: bytes, *, after: bytes = b"") -> None:
        """Send a byte now and then, from the start again and again."""
        self.say(after)
        while self.listens():
            for number in data:
                self.say(bytes([number]))
                if self._over.wait(PACE_SECONDS) or not self.listens():
                    return

    def answer(self, data: bytes) -> None:
        self.hear()
        self.say(data)

    def say_for_ever(self, data: bytes) -> None:
        while self.listens():
            self.say(data)

    def keep_silent(self, *, after: bytes = b"") -> None:
        self.say(after)
        self._over.wait(GIVES_UP_SECONDS)


@contextmanager
def serving(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that accepts one connection and talks as it is told; yields its address."""
    over = threading.Event()

    def serve(listening: socket.socket) -> None:
        with suppress(OSError):  # the client went away, as it should
            connection, _ = listening.accept()
            connection.settimeout(STUCK_SECONDS)
            with context.wrap_socket(connection, server_side=True) if context else connection as spoken:
                talk(Server(spoken, over))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listening.settimeout(GIVES_UP_SECONDS)
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        try:
            yield f"{'https' if context else 'http'}://127.0.0.1:{listening.getsockname()[1]}/x"
        finally:
            over.set()
            thread.join(GIVES_UP_SECONDS)
            assert not thread.is_alive()


def ask(url: str, data: bytes = b"question", *, seconds: int = DEADLINE_SECONDS) -> Reply:
    return post(url, data, {"Content-Type": "text/plain"}, timeout_seconds=seconds, largest_bytes=1000)


def assert_left_in_time(url: str, data: bytes = b"question") -> None:
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="timed out"):
        ask(url, data)
    assert time.monotonic() - started < PATIENCE_SECONDS


SLOW: dict[str, Talk] = {
    "silence": lambda server: server.keep_silent(),
    "a status line in drops": lambda server: server.drip(HEAD),
    "headers in drops": lambda server: server.drip(b"a: b\r\n", after=HEAD),
    "a body in drops": lambda server: server.drip(b"x", after=HEAD + b"\r\n"),
    "a body of known length in drops": lambda server: server.drip(
        b"x", after=HEAD + b"Content-Length: 900\r\n\r\n"
    ),
    "chunks in drops": lambda server: server.drip(
        b"1\r\nx\r\n", after=HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    ),
    "100 Continue for ever": lambda server: server.say_for_ever(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "100 Continue in drops": lambda server: server.drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "half a body, then silence": lambda server: server.keep_silent(after=HEAD + b"\r\nhalf"),
}


@pytest.mark.parametrize("talk", SLOW.values(), ids=SLOW)
def test_the_exchange_ends_at_its_deadline(talk: Talk) -> None:
    with serving(talk) as url:
        assert_left_in_time(url)


def test_nobody_need_take_the_question() -> None:
    with serving(lambda server: server.keep_silent()) as url:
        assert_left_in_time(url, bytes(16 << 20))


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """A root, and a server's certificate by it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    root = make_root(folder)
    extensions = "subjectAltName = IP:127.0.0.1\nextendedKeyUsage = serverAuth"
    return root, make_pair(folder, "server", issuer=root, extensions=extensions)


@pytest.fixture
def context(certified: tuple[Pair, Pair], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server speaks TLS with; its root is trusted."""
    root, pair = certified
    monkeypatch.setenv("SSL_CERT_FILE", str(root.certificate_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate_path, pair.key_path)
    return context


@pytest.mark.parametrize("name", ["silence", "headers in drops", "a body in drops", "100 Continue for ever"])
def test_tls_changes_nothing_about_it(name: str, context: ssl.SSLContext) -> None:
    with serving(SLOW[name], context) as url:
        assert_left_in_time(url)


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(lambda server: server.keep_silent(), id="silence"),
        pytest.param(lambda server: server.drip(b"\x16\x03\x03\x40\x00" + bytes(1000)), id="in drops"),
    ],
)
def test_the_handshake_of_tls_counts(talk: Talk) -> None:
    with serving(talk) as url:
        assert_left_in_time(url.replace("http:", "https:"))


def test_a_proxy_cannot_stretch_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda server: server.drip(HEAD)) as url:
        monkeypatch.setenv("https_proxy", url)
        monkeypatch.setenv("no_proxy", "")
        assert_left_in_time("https://witness.example/")


def test_all_addresses_of_a_host_together_have_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:  # more than there is room for, so that who comes now is not answered
            each.settimeout(0)
            each.connect_ex(full.getsockname())
        place = (socket.AF_INET, socket.SOCK_STREAM, 0, "", full.getsockname())
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [place] * 12)
        try:
            assert_left_in_time("http://witness.example/")
        finally:
            for each in waiting:
                each.close()


def test_the_first_address_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as gone,
        serving(lambda server: server.answer(HEAD + b"Content-Length: 2\r\n\r\nok")) as url,
    ):
        gone.close()
        here = ("127.0.0.1", int(url.rpartition(":")[2].partition("/")[0]))
        places = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", place)
            for place in (("127.0.0.1", 1), here, ("127.0.0.1", 1))
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        assert ask("http://witness.example/", seconds=GIVES_UP_SECONDS).body == b"ok"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_in_time_is_taken_as_it_is(scheme: str, context: ssl.SSLContext) -> None:
    said = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Type: Text/Plain; x=y\r\n\r\nno such thing"
    )
    with serving(lambda server: server.answer(said), context if scheme == "https" else None) as url:
        assert ask(url, seconds=GIVES_UP_SECONDS) == Reply(404, "text/plain", b"no such thing")
    assert not [each for each in threading.enumerate() if isinstance(each, threading.Timer)]


def test_a_certificate_that_nobody_trusts_is_refused(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        serving(lambda server: server.say(HEAD), context) as url,
        pytest.raises(UnreachableError, match="certificate"),
    ):
        ask(url, seconds=GIVES_UP_SECONDS)


def test_what_is_no_http_cannot_write_to_the_terminal() -> None:
    with (
        serving(lambda server: server.answer(b"\x1b[31m\x9b" + b"red " * 5000 + b"\r\n\r\n")) as url,
        pytest.raises(UnreachableError) as caught,
    ):
        ask(url, seconds=GIVES_UP_SECONDS)
    assert caught.value.reason.isprintable()
    assert str(caught.value) == caught.value.reason
    assert len(caught.value.reason) < 500
