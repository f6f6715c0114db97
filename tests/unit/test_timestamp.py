"""The parts of a timestamp that need no authority: strict DER, and what HTTP can do to a request."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from ledger.errors import (
    ExitCode,
    InvalidInputError,
    TimestampAuthorityError,
    TimestampInvalidError,
    TimestampNotGrantedError,
)
from ledger.timestamp import Timestamp, der, make_request, parse_token, request_over_http, verify_token
from tests.support.timestamp_authority import Authority, make_pair, make_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MESSAGE = b"a signed checkpoint"
REPLY = "application/timestamp-reply"

Answer = tuple[int, dict[str, str], bytes]


@pytest.mark.parametrize(
    ("bytes_in_hex", "problem"),
    [
        ("", "ends inside a value"),
        ("30", "ends inside a value"),
        ("3003020100ff", "1 bytes are left over"),
        ("30030201", "ends inside a value"),
        ("3002020100", "ends inside a value"),
        ("308103020100", "not in its shortest form"),
        ("30820003020100", "not in its shortest form"),
        ("3080020100", "not in its shortest form"),
        ("3081", "cut off"),
        ("30ff00", "cut off"),
        ("1f0100", "a tag number over 30"),
        ("1003020100", "a value with the tag 0x10"),
        ("2403040100", "a value with the tag 0x24"),
        ("30" + "80" * 40, "cut off or not in its shortest form"),
    ],
)
def test_bytes_that_are_no_der_are_refused(bytes_in_hex: str, problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        der.decode(bytes.fromhex(bytes_in_hex))


def test_nesting_ends_before_the_stack_does() -> None:
    data = b""
    for _ in range(10_000):
        data = der.encode(der.SEQUENCE, data)
    with pytest.raises(InvalidInputError, match="nested too deep"):
        der.decode(data)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65_536])
def test_lengths_are_written_in_their_shortest_form(length: int) -> None:
    encoded = der.encode(der.OCTET_STRING, bytes(length))
    assert der.decode(encoded).content == bytes(length)
    assert der.decode(encoded).encoded() == encoded


@pytest.mark.parametrize(
    ("content", "value"), [("00", 0), ("7f", 127), ("0080", 128), ("80", -128), ("ff", -1)]
)
def test_integers(content: str, value: int) -> None:
    assert der.Element(der.INTEGER, bytes.fromhex(content)).integer() == value


@pytest.mark.parametrize("content", ["", "0000", "007f", "ff80", "ffff"])
def test_padded_integers_are_refused(content: str) -> None:
    with pytest.raises(InvalidInputError, match="shortest form"):
        der.Element(der.INTEGER, bytes.fromhex(content)).integer()


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("2a864886f70d01010b", "1.2.840.113549.1.1.11"),
        ("00", "0.0"),
        ("4f", "1.39"),
        ("8837", "2.999"),
        ("50", "2.0"),
    ],
)
def test_object_identifiers(content: str, value: str) -> None:
    assert der.Element(der.OBJECT_IDENTIFIER, bytes.fromhex(content)).object_identifier() == value


@pytest.mark.parametrize("content", ["", "80", "2a8001", "2a86"])
def test_object_identifiers_in_other_spellings_are_refused(content: str) -> None:
    with pytest.raises(InvalidInputError, match="OBJECT IDENTIFIER"):
        der.Element(der.OBJECT_IDENTIFIER, bytes.fromhex(content)).object_identifier()


@pytest.mark.parametrize(
    ("content", "microsecond"),
    [(b"20251010211703Z", 0), (b"20251010211703.5Z", 500_000), (b"20251010211703.000001Z", 1)],
)
def test_times(content: bytes, microsecond: int) -> None:
    time = der.Element(der.GENERALIZED_TIME, content).time()
    assert time == datetime(2025, 10, 10, 21, 17, 3, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    "content",
    [
        b"20251010211703",
        b"20251010211703.Z",
        b"20251010211703.50Z",
        b"20251010211703,5Z",
        b"20251010211703+0000",
        b"202510102117Z",
        b"20251310211703Z",
        b"20251010211760Z",
        b"20251010211703.1234567Z",
        b"\xb2\xb2251010211703Z",
        b"",
    ],
)
def test_times_in_other_spellings_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidInputError):
        der.Element(der.GENERALIZED_TIME, content).time()


def refusal(status: bytes, *more: bytes) -> bytes:
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.encode(der.INTEGER, status), *more))


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (b"\x02", "rejection"),
        (b"\x03", "waiting"),
        (b"\x01", "granted_with_mods"),
        (b"\x63", "99"),
        (b"\xff", "-1"),
    ],
)
def test_a_status_other_than_granted_is_named(status: bytes, name: str) -> None:
    text = der.encode(der.SEQUENCE, der.encode(der.UTF8_STRING, b"closed\x1b[31m"))
    failures = der.encode(der.BIT_STRING, bytes.fromhex("002403"))
    with pytest.raises(TimestampNotGrantedError) as caught:
        parse_token(refusal(status, text, failures))
    error = caught.value
    assert (error.status, error.failures) == (
        name,
        ("bad_request", "bad_data_format", "time_not_available", "unaccepted_policy"),
    )
    assert error.texts == ("closed\x1b[31m",)
    assert "\x1b" not in error.message
    with pytest.raises(TimestampInvalidError, match="status"):
        verify_token(refusal(status), MESSAGE, [object()])  # type: ignore[list-item]


@pytest.mark.parametrize("failures", ["", "08ff", "01", "0101", "0700ff"])
def test_failure_bits_in_other_spellings_are_refused(failures: str) -> None:
    with pytest.raises(InvalidInputError, match="BIT STRING"):
        parse_token(refusal(b"\x02", der.encode(der.BIT_STRING, bytes.fromhex(failures))))


def test_granted_without_a_token_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="a value is missing"):
        parse_token(refusal(b"\x00"))


def test_a_reply_has_a_largest_size() -> None:
    with pytest.raises(InvalidInputError, match="more than 65536 bytes"):
        parse_token(bytes(65_537))


def test_nothing_is_not_stamped() -> None:
    with pytest.raises(InvalidInputError, match="no bytes"):
        make_request(b"")


def test_every_request_has_a_nonce_of_its_own() -> None:
    nonces = [der.decode(make_request(MESSAGE)).parts[2].integer() for _ in range(50)]
    assert len(set(nonces)) == 50
    assert max(nonces) > 2**56


@contextmanager
def serving(answer: Callable[[bytes], Answer]) -> Iterator[tuple[str, list[str]]]:
    """Serve one answer to every POST; yields the address and the content types that were sent."""
    kinds: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kinds.append(self.headers["Content-Type"])
            status, headers, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsa", kinds
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    return Authority(folder, make_pair(folder, "signer", issuer=make_root(folder)))


def test_an_authority_is_asked_over_http(authority: Authority) -> None:
    with serving(lambda query: (200, {"Content-Type": REPLY}, authority.reply(query))) as (url, kinds):
        reply = request_over_http(url, MESSAGE)
        assert request_over_http(url, MESSAGE, timeout_seconds=5) != reply
    assert kinds == ["application/timestamp-query"] * 2
    assert parse_token(reply).reply == reply


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((404, {}, b""), "HTTP status 404"),
        ((302, {"Location": "http://127.0.0.1:9/"}, b""), "HTTP status 302"),
        ((307, {"Location": "ftp://127.0.0.1/"}, b""), "HTTP status 307"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), "content type 'text/html'"),
        ((200, {}, b""), "content type ''"),
        ((200, {"Content-Type": REPLY}, bytes(70_000)), "more than 65536 bytes"),
        ((200, {"Content-Type": REPLY, "Content-Length": "70000"}, b"0"), "broke off"),
        ((200, {"Content-Type": REPLY, "Content-Length": "20"}, b"0"), "broke off"),
    ],
)
def test_an_answer_that_is_no_timestamp_is_the_authoritys_fault(answer: Answer, problem: str) -> None:
    with (
        serving(lambda _: answer) as (url, _),
        pytest.raises(TimestampAuthorityError, match=problem) as caught,
    ):
        request_over_http(url, MESSAGE)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert url in caught.value.message


def test_garbage_over_http_is_unreadable() -> None:
    with (
        serving(lambda _: (200, {"Content-Type": REPLY}, b"garbage")) as (url, _),
        pytest.raises(InvalidInputError),
    ):
        request_over_http(url, MESSAGE)


def test_a_replayed_answer_is_refused(authority: Authority) -> None:
    old = authority.reply(make_request(MESSAGE))
    with (
        serving(lambda _: (200, {"Content-Type": REPLY}, old)) as (url, _),
        pytest.raises(TimestampInvalidError, match="answers another request"),
    ):
        request_over_http(url, MESSAGE)


def test_an_authority_that_is_not_there_is_a_fault_of_the_surroundings() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    with pytest.raises(TimestampAuthorityError, match="cannot be reached") as caught:
        request_over_http(f"http://127.0.0.1:{port}/tsa?key=secret", MESSAGE)
    assert "secret" not in caught.value.message
    assert f"http://127.0.0.1:{port}/tsa" in caught.value.message


def test_an_address_with_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInputError, match="a user or a password") as caught:
        request_over_http("http://user:secret@127.0.0.1:1/tsa", MESSAGE)
    assert "secret" not in str(caught.value)


def test_an_authority_that_says_nothing_is_not_waited_for() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # listens, and never answers
        url = f"http://127.0.0.1:{server.server_port}/"
        with pytest.raises(TimestampAuthorityError, match="cannot be reached: timed out"):
            request_over_http(url, MESSAGE, timeout_seconds=1)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/", "", "http://", "http://host:port/", "http://[", "tsa"]
)
def test_only_http_and_https_are_asked(url: str) -> None:
    with pytest.raises(InvalidInputError, match="the authority's address"):
        request_over_http(url, MESSAGE)


@pytest.mark.parametrize(
    ("time", "accuracy_microseconds", "latest"),
    [
        (datetime(2026, 3, 1, tzinfo=UTC), None, datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC), 60_000_000, datetime(2026, 3, 1, 0, 1, tzinfo=UTC)),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), 60_000_000, datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_its_latest_time_is_its_time_and_the_accuracy_that_it_states(
    time: datetime, accuracy_microseconds: int | None, latest: datetime
) -> None:
    timestamp = Timestamp(b"", time, accuracy_microseconds, "1.2", 1, "sha256", bytes(32), None, None)
    assert timestamp.latest == latest
