"""A log asks a witness: a real one, and servers that answer what no witness should."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from ledger.checkpoint import verify_signature
from ledger.clock import FixedClock
from ledger.errors import (
    EnvironmentFaultError,
    EvidenceRefusedError,
    ExitCode,
    InvalidInputError,
    WitnessDisagreesError,
    WitnessRefusedError,
)
from ledger.witness.client import request_cosignatures
from ledger.witness.decision import SIZE_TYPE
from ledger.witness.server import WitnessServer
from tests.support.growing_log import GrowingLog
from tests.support.keys import AT, log_key, quantum_key, witness_key
from tests.support.witnesses import KEYS, NAME, PUBLIC_KEYS, make_folder, make_witness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.note import Signature, VerifierKey

LOG = GrowingLog()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A real witness that has cosigned nothing."""
    clock = FixedClock(AT)
    witness = make_witness(make_folder(tmp_path / "w"), clock=clock)
    with WitnessServer(
        witness, host="127.0.0.1", port=0, prefix="w1", clock=clock, tell=lambda _: None
    ) as server:
        yield server.url


@contextmanager
def answering(*answers: tuple[int, str, bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers one after the other; and the requests that it got."""
    left, got = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            status, content_type, body = left.pop(0)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", got
        finally:
            server.shutdown()
            thread.join()


def ask(
    url: str,
    size: int,
    *,
    old: int = 0,
    log: GrowingLog = LOG,
    keys: tuple[VerifierKey, ...] = PUBLIC_KEYS,
    note: bytes | None = None,
) -> tuple[Signature, ...]:
    return request_cosignatures(
        url, old, note or log.note(size), lambda start: log.proof(start, size), keys, timeout_seconds=5
    )


def lines(size: int, *keys: object) -> bytes:
    return "".join(key.sign(LOG.checkpoint(size), AT).encode() for key in keys).encode()  # type: ignore[attr-defined]


def test_a_log_gets_cosignatures_and_need_not_know_the_size(url: str) -> None:
    for old, size in ((0, 5), (5, 8), (0, 9), (12, 12), (12, 12)):
        found = ask(url, size, old=old)
        assert [
            verify_signature(key, each, LOG.checkpoint(size)) is not None
            for key, each in zip(PUBLIC_KEYS, found, strict=True)
        ] == [True, True]


def test_a_slash_at_the_end_of_the_address_changes_nothing(url: str) -> None:
    assert len(ask(f"{url}/", 5)) == 2


def test_only_lines_by_trusted_keys_are_returned(url: str) -> None:
    assert [each.key_id for each in ask(url, 5, keys=PUBLIC_KEYS[1:])] == [PUBLIC_KEYS[1].id]
    with pytest.raises(EvidenceRefusedError, match="cosignature") as caught:
        ask(url, 5, keys=(witness_key("another.example").verifier,))
    assert str(PUBLIC_KEYS[0]) in caught.value.actual


def test_a_fork_is_a_disagreement_that_breaks_integrity(url: str) -> None:
    ask(url, 5)
    for size in (5, 8):
        with pytest.raises(WitnessDisagreesError) as caught:
            ask(url, size, log=LOG.fork(3))
        assert caught.value.exit_code is ExitCode.INTEGRITY_BROKEN
        assert caught.value.status in {409, 422}
        assert url in caught.value.url


def test_a_witness_that_saw_more_than_the_log_has_is_a_disagreement(url: str) -> None:
    ask(url, 8)
    with pytest.raises(WitnessDisagreesError, match="size 8, and this checkpoint has 5") as caught:
        ask(url, 5)
    assert "backup" in str(caught.value.next_step)


@pytest.mark.parametrize(
    ("note", "status"),
    [(GrowingLog("other.example").note(5), 404), (LOG.note(5, log_key(seed="x")), 403)],
)
def test_a_witness_that_does_not_know_the_log_says_so(url: str, note: bytes, status: int) -> None:
    with pytest.raises(WitnessRefusedError) as caught:
        ask(url, 5, note=note)
    assert (caught.value.status, caught.value.exit_code) == (status, ExitCode.ENVIRONMENT)
    assert "operator" in str(caught.value.next_step)


def test_the_size_in_a_conflict_is_used_once() -> None:
    conflicts = (409, SIZE_TYPE, b"3\n"), (409, SIZE_TYPE, b"4\n")
    with answering(*conflicts) as (url, got), pytest.raises(WitnessRefusedError, match="changed meanwhile"):
        ask(url, 5)
    assert got == [LOG.request(0, 5), LOG.request(3, 5)]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("text/plain", b"3\n"), (SIZE_TYPE, b"3"), (SIZE_TYPE, b"03\n"), (SIZE_TYPE, b"-1\n"), (SIZE_TYPE, b"")],
)
def test_a_conflict_without_a_plain_size_is_not_retried(content_type: str, body: bytes) -> None:
    with answering((409, content_type, body)) as (url, got), pytest.raises(WitnessDisagreesError):
        ask(url, 5)
    assert len(got) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    answer = (status, "text/plain", b"over there\n")
    with answering(answer) as (url, got), pytest.raises(WitnessRefusedError) as caught:
        ask(url, 5)
    assert (caught.value.status, len(got)) == (status, 1)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"ok\n", id="no line of a signature"),
        pytest.param(lines(5, *KEYS)[:-1], id="cut off"),
        pytest.param(lines(6, *KEYS), id="of another checkpoint"),
        pytest.param(lines(5, KEYS[0]) + lines(6, KEYS[1]), id="one good, one bad"),
        pytest.param(lines(5, quantum_key("other.example")), id="by nobody that is trusted"),
        pytest.param(b"\xff\n", id="not UTF-8"),
        pytest.param(lines(5, *KEYS) * 60, id="too many"),
    ],
)
def test_an_answer_that_does_not_hold_is_refused(body: bytes) -> None:
    with answering((200, "text/plain", body)) as (url, _), pytest.raises(EvidenceRefusedError) as caught:
        ask(url, 5)
    assert caught.value.check == "cosignature"
    assert caught.value.place is not None
    assert url in caught.value.place


def test_lines_by_unknown_keys_of_the_same_name_are_passed_over() -> None:
    body = lines(5, witness_key("x"), log_key(NAME, seed="x"), KEYS[0])
    with answering((200, "text/plain", body)) as (url, _):
        assert [each.key_id for each in ask(url, 5)] == [PUBLIC_KEYS[0].id]


def test_of_many_lines_by_one_key_the_newest_is_returned() -> None:
    checkpoint = LOG.checkpoint(5)
    newest, first = (quantum_key(NAME).sign(checkpoint, AT + timedelta(seconds=each)) for each in (50, 0))
    timeless = quantum_key(NAME).sign(checkpoint, datetime(1970, 1, 1, tzinfo=UTC))
    others = [quantum_key(NAME).sign(checkpoint, AT + timedelta(seconds=each)) for each in range(1, 40)]
    ed25519 = KEYS[0].sign(checkpoint, AT)
    body = "".join(each.encode() for each in (timeless, first, newest, ed25519, *others, newest))
    with answering((200, "text/plain", body.encode())) as (url, _):
        assert ask(url, 5) == (newest, ed25519)


def test_a_line_without_a_time_is_a_cosignature_where_there_is_no_other() -> None:
    timeless = KEYS[0].sign(LOG.checkpoint(5), datetime(1970, 1, 1, tzinfo=UTC))
    with answering((200, "text/plain", timeless.encode().encode())) as (url, _):
        assert ask(url, 5) == (timeless,)


def test_what_a_witness_says_cannot_write_to_the_terminal() -> None:
    answer = (500, "text/plain", b"\x1b[31mred\n" + b"x" * 5000)
    with answering(answer) as (url, _), pytest.raises(WitnessRefusedError) as caught:
        ask(url, 5)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


def test_nobody_there_is_the_environment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(EnvironmentFaultError, match="refused"):
        ask(f"http://127.0.0.1:{port}", 5)


def test_a_server_that_never_answers_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EnvironmentFaultError, match="timed out"):
            request_cosignatures(place, 0, LOG.note(5), lambda _: (), PUBLIC_KEYS, timeout_seconds=1)


@pytest.mark.parametrize("place", ["http://user:secret@127.0.0.1:1/w", "http://127.0.0.1:1/a b?secret"])
def test_a_secret_in_the_address_is_not_repeated(place: str) -> None:
    with pytest.raises(InvalidInputError, match="the witness's address") as caught:
        ask(place, 5)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("place", ["", "witness.example", "file:///etc/passwd", "ftp://w.example", "http://"])
def test_only_the_web_is_asked(place: str) -> None:
    with pytest.raises(InvalidInputError):
        ask(place, 5)


@pytest.mark.parametrize("keys", [(), (log_key().verifier,)])
def test_without_a_witness_key_nobody_is_asked(keys: tuple[VerifierKey, ...]) -> None:
    with pytest.raises(InvalidInputError, match="no key"):
        ask("http://127.0.0.1:1", 5, keys=keys)
