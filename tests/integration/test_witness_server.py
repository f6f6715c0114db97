"""A witness over HTTP, as C2SP tlog-witness describes it; real sockets on 127.0.0.1."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING

import pytest

from ledger.clock import FixedClock
from ledger.note import VerifierKey
from ledger.witness import server as server_module
from ledger.witness.folder import log_id
from ledger.witness.server import LARGEST_REQUEST_BYTES, WitnessServer
from tests.support.growing_log import GrowingLog
from tests.support.keys import AT, ORIGIN, log_key
from tests.support.witnesses import PUBLIC_KEYS, make_folder, make_witness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.witness.service import Witness

LOG = GrowingLog()
PATIENCE_SECONDS = 30


class Running:
    """A running witness and what it wrote to its operator."""

    def __init__(self, witness: Witness, server: WitnessServer, lines: list[str]) -> None:
        self.witness = witness
        self.server = server
        self.lines = lines
        self.port = int(server.url.removeprefix("http://127.0.0.1:").partition("/")[0])

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[HTTPResponse, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def raw(self, request: bytes) -> bytes:
        """What comes back until the server ends the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
            return answer


@contextmanager
def running(path: Path, prefix: str = "/") -> Iterator[Running]:
    lines: list[str] = []
    clock = FixedClock(AT)
    witness = make_witness(make_folder(path), clock=clock, tell=lines.append)
    server = WitnessServer(witness, host="127.0.0.1", port=0, prefix=prefix, clock=clock, tell=lines.append)
    with server:
        yield Running(witness, server, lines)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "w") as it:
        yield it


def test_each_status_reaches_the_client_with_its_content_type(served: Running) -> None:
    text = "text/plain; charset=utf-8"
    for body, status, content_type in (
        (LOG.request(0, 5), 200, text),
        (LOG.request(0, 8), 409, "text/x.tlog.size"),
        (LOG.request(5, 8), 200, text),
        (LOG.fork(3).request(8, 8), 409, text),
        (LOG.fork(3).request(8, 9), 422, text),
        (LOG.request(8, 9, log_key(seed="x")), 403, text),
        (GrowingLog("other.example").request(0, 5), 404, text),
        (b"nothing", 400, text),
    ):
        response, answer = served.ask("POST", "/add-checkpoint", body)
        assert (response.status, response.headers["Content-Type"]) == (status, content_type), answer
        assert int(response.headers["Content-Length"]) == len(answer)
        assert answer.endswith(b"\n")
        assert "Python" not in response.headers["Server"]
    assert served.witness.folder.logs()[0].size == 8


def test_one_connection_carries_many_requests(served: Running) -> None:
    connection = served.connect()
    for old, size in ((0, 5), (5, 8), (8, 9)):
        connection.request("POST", "/add-checkpoint", LOG.request(old, size))
        response = connection.getresponse()
        assert response.status == 200
        response.read()
        assert connection.sock is not None, "the server ended the connection"
    connection.close()


def test_the_keys_are_there_for_everyone(served: Running) -> None:
    response, body = served.ask("GET", "/keys")
    assert response.status == 200
    assert tuple(map(VerifierKey.parse, body.decode().splitlines())) == PUBLIC_KEYS
    head, nothing = served.ask("HEAD", "/keys")
    assert (head.status, nothing, int(head.headers["Content-Length"])) == (200, b"", len(body))


def test_everything_else_is_not_there_or_not_allowed(served: Running) -> None:
    for method, path, status, allow in (
        ("GET", "/", 404, None),
        ("GET", "/add-checkpoint", 405, "POST"),
        ("PUT", "/add-checkpoint", 405, "POST"),
        ("DELETE", "/keys", 405, "GET, HEAD"),
        ("POST", "/keys", 405, "GET, HEAD"),
        ("POST", "/", 404, None),
        ("POST", "/add-checkpoint/", 404, None),
        ("PATCH", "/../witness.json", 404, None),
        ("BREW", "/add-checkpoint", 501, None),
    ):
        response, _ = served.ask(method, path, b"" if method != "GET" else None)
        assert (response.status, response.headers["Allow"]) == (status, allow), f"{method} {path}"


@pytest.mark.parametrize("prefix", ["/w1", "w1/", "/a/b/"])
def test_a_prefix_stands_before_the_paths(tmp_path: Path, prefix: str) -> None:
    with running(tmp_path / "w", prefix) as served:
        root = f"/{prefix.strip('/')}"
        assert served.server.url.endswith(root)
        assert served.ask("POST", f"{root}/add-checkpoint", LOG.request(0, 5))[0].status == 200
        assert served.ask("POST", "/add-checkpoint", LOG.request(5, 8))[0].status == 404
        assert served.ask("GET", f"{root}/keys")[0].status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"", 411),
        (b"Transfer-Encoding: chunked\r\n", 411),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 411),
        (b"Content-Length: x\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 3\r\nContent-Length: 4\r\n", 400),
        (b"Content-Length: %d\r\n" % (LARGEST_REQUEST_BYTES + 1), 413),
        (b"Content-Length: %s\r\n" % (b"9" * 5000), 413),
    ],
)
def test_a_body_without_one_plain_length_is_not_read(served: Running, headers: bytes, status: int) -> None:
    answer = served.raw(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n" + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"Connection: close" in answer


def test_what_is_not_http_gets_words_and_no_page(served: Running) -> None:
    answer = served.raw(b"nonsense and more of it\r\n\r\n")
    assert answer.endswith(b"\n")
    assert b"<" not in answer


def test_each_request_is_one_line_that_cannot_write_to_the_terminal(served: Running) -> None:
    served.ask("POST", "/add-checkpoint", LOG.request(0, 5))
    served.raw(b"GET /\x1b[31m HTTP/1.1\r\nConnection: close\r\n\r\n")
    served.ask("POST", "/add-checkpoint", LOG.request(0, 6))
    served.ask("POST", "/add-checkpoint", GrowingLog("red\x9b31m\u2028").request(0, 5, log_key()))
    assert len(served.lines) == 4, served.lines
    assert all(line.isprintable() for line in served.lines), served.lines
    first, _, third, _ = served.lines
    for word in ("2026-03-12T09:30:00.000000Z", "127.0.0.1", "POST /add-checkpoint", " 200 ", ORIGIN, " 5 "):
        assert word in first
    assert " 409 " in third


def test_a_state_that_cannot_be_relied_on_is_500_and_its_file_is_for_the_operator(served: Running) -> None:
    file = served.witness.folder.path / "logs" / log_id(ORIGIN) / "cosigned"
    file.write_bytes(b"broken")
    response, body = served.ask("POST", "/add-checkpoint", LOG.request(0, 5))
    assert response.status == 500
    assert b"cosigned" not in body
    assert str(file) in served.lines[0]


def test_a_client_that_sends_nothing_more_is_left(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "REQUEST_SECONDS", 1)
    half = b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 100\r\n\r\nold"
    assert served.raw(half) == b""
    assert served.ask("POST", "/add-checkpoint", LOG.request(0, 5))[0].status == 200


def test_more_connections_than_there_is_room_for_are_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MOST_CONNECTIONS", 2)
    with running(tmp_path / "w") as served:
        held = [served.connect() for _ in range(2)]
        for connection in held:
            connection.request("GET", "/keys")
            assert connection.getresponse().read()
        assert served.raw(b"").startswith(b"HTTP/1.1 503 ")
        held[1].request("POST", "/add-checkpoint", LOG.request(0, 5))
        assert held[1].getresponse().status == 200
        for connection in held:
            connection.close()


def test_stopping_ends_waiting_connections_and_answers_what_has_begun(tmp_path: Path) -> None:
    decided, go_on = threading.Event(), threading.Event()
    with running(tmp_path / "w") as served:
        store = served.witness.folder.store

        def slow_store(cosigned: object) -> None:
            store(cosigned)  # type: ignore[arg-type]
            decided.set()
            assert go_on.wait(PATIENCE_SECONDS)

        served.witness.folder.store = slow_store  # type: ignore[method-assign]
        idle = served.connect()
        idle.connect()
        busy = served.connect()
        busy.request("POST", "/add-checkpoint", LOG.request(0, 5))
        assert decided.wait(PATIENCE_SECONDS)
        stopper = threading.Thread(target=served.server.stop)
        stopper.start()
        assert idle.sock.recv(1) == b"", "the idle connection was not ended"
        go_on.set()
        response = busy.getresponse()
        assert (response.status, len(response.read().splitlines())) == (200, 2)
        stopper.join(PATIENCE_SECONDS)
        assert not stopper.is_alive()
        for connection in (idle, busy):
            connection.close()
        with pytest.raises(OSError, match="refused"):
            served.connect().connect()
        served.server.stop = lambda: None  # type: ignore[method-assign]
