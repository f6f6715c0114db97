"""A witness over HTTP/1.1 (C2SP tlog-witness), on the standard library.

``POST PREFIX/add-checkpoint`` answers requests; ``GET PREFIX/keys`` gives the witness's public keys, one a
line. It speaks no TLS: a reverse proxy in front of it does.
"""

from __future__ import annotations

import io
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Self

from ledger.clock import format_time
from ledger.errors import LedgerError
from ledger.note import LARGEST_NOTE_BYTES
from ledger.witness.decision import TEXT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.clock import Clock
    from ledger.witness.service import Witness

MOST_CONNECTIONS = 64
REQUEST_SECONDS = 30
"""For one request from its start, or from the end of the one before it, until its last byte is read."""
LARGEST_REQUEST_BYTES = LARGEST_NOTE_BYTES
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class WitnessServer:
    """Serves a witness until it is stopped. As a context manager it starts and stops.

    Args:
        witness: what answers.
        host: name or address to listen on.
        port: to listen on; 0 takes a free one, which ``url`` names.
        prefix: of the paths, for example ``/witness``.
        clock: for the access lines.
        tell: takes one line for each request.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(
        self,
        witness: Witness,
        *,
        host: str,
        port: int,
        prefix: str = "/",
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._http = _Http(witness, (host, port), prefix.strip("/"), clock, tell)
        # Twenty times a second it looks whether it shall stop.
        self._thread = threading.Thread(target=self._http.serve_forever, args=(1 / 20,), name="witness")
        address = f"[{host}]" if ":" in host else host
        self.url = f"http://{address}:{self._http.server_address[1]}{self._http.root}"
        """The submission prefix, without a slash at its end."""

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Take no further requests, let those that have arrived be answered, and return."""
        self._http.shutdown()
        self._thread.join()
        self._http.end_connections()
        self._http.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Http(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them
    request_queue_size = MOST_CONNECTIONS

    def __init__(
        self,
        witness: Witness,
        address: tuple[str, int],
        prefix: str,
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self.witness = witness
        self.root = f"/{prefix}" if prefix else ""
        self.clock = clock
        self.tell = tell
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name, which may hang."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, while there are not too many."""
        if not self._free.acquire(blocking=False):
            try:
                request.settimeout(1)
                request.sendall(_BUSY)
            except OSError:
                pass
            self.shutdown_request(request)
            return
        with self._guard:
            self._open.add(request)
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self._forget(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and give the place free."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._forget(request)

    def _forget(self, request: socket.socket) -> None:
        with self._guard:
            self._open.discard(request)
        self._free.release()

    def end_connections(self) -> None:
        """Let open connections read no more: those that wait end, those that answer finish first."""
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:
                    continue  # the client was first

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line what broke a connection; a traceback tells an operator nothing."""
        del request
        error = sys.exception()
        self.tell(f"{format_time(self.clock.now())} {client_address[0]} broken off: {error!r}")


class _DeadlineReader(io.RawIOBase):
    """Reads a connection until a deadline; a client that sends a byte now and then cannot stay for ever."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.restart()

    def restart(self) -> None:
        """Begin the time for one request."""
        self._deadline = time.monotonic() + REQUEST_SECONDS

    def readable(self) -> bool:
        """Tell that it is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there; raises TimeoutError at the deadline."""
        left_seconds = self._deadline - time.monotonic()
        if left_seconds <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left_seconds)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    server_version = "margin-ledger-witness"
    sys_version = ""
    timeout = REQUEST_SECONDS
    disable_nagle_algorithm = True  # head and body are two writes

    def setup(self) -> None:
        """Put the deadline between the connection and its reader."""
        super().setup()
        self._reader = _DeadlineReader(self.connection)
        self.rfile.close()
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """Answer one request of a connection."""
        self._reader.restart()
        self._words = ""
        super().handle_one_request()

    def do_POST(self) -> None:
        """Answer add-checkpoint."""
        path = self.path.partition("?")[0]
        if path == f"{self.server.root}/keys":
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "ask for the keys with GET", allow="GET, HEAD")
        elif path != f"{self.server.root}/add-checkpoint":
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such resource")
        else:
            body = self._body()
            if body is not None:
                self._add_checkpoint(body)

    def do_GET(self) -> None:
        """Give the public keys."""
        path = self.path.partition("?")[0]
        if path == f"{self.server.root}/keys":
            keys = self.server.witness.folder.public_keys()
            self._send(HTTPStatus.OK, "".join(f"{key.encode()}\n" for key in keys).encode())
        elif path == f"{self.server.root}/add-checkpoint":
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "add-checkpoint is a POST", allow="POST")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such resource")

    do_HEAD = do_GET  # noqa: N815 (the name that http.server looks for)

    def _other_method(self) -> None:
        path = self.path.partition("?")[0]
        allowed = {"add-checkpoint": "POST", "keys": "GET, HEAD"}.get(
            path.removeprefix(f"{self.server.root}/")
        )
        if allowed is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such resource")
        else:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, f"use {allowed}", allow=allowed)

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _other_method  # noqa: N815 (likewise)

    def _add_checkpoint(self, body: bytes) -> None:
        try:
            answer = self.server.witness.add_checkpoint(body)
        except (LedgerError, OSError) as error:
            # The words are for the operator; they name files.
            self._words = str(error)
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, b"the witness cannot cosign at present\n")
            return
        self._words = (
            f"{answer.origin or '-'} {answer.size if answer.size is not None else '-'} {answer.reason}"
        )
        self._send(answer.verdict.status, answer.body, content_type=answer.content_type)

    def _body(self) -> bytes | None:
        """Return the body, or None where its length is refused or it did not arrive whole."""
        lengths = self.headers.get_all("Content-Length") or []
        if "Transfer-Encoding" in self.headers or not lengths:
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "give the body with its Content-Length")
            return None
        if len(lengths) > 1 or not lengths[0].isascii() or not lengths[0].isdigit():
            self._refuse(HTTPStatus.BAD_REQUEST, "the Content-Length is not one plain number")
            return None
        # Compared by digits first: int() refuses thousands of them, with another error.
        digits = lengths[0].lstrip("0") or "0"
        if len(digits) > len(str(LARGEST_REQUEST_BYTES)) or int(digits) > LARGEST_REQUEST_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {LARGEST_REQUEST_BYTES} bytes"
            )
            return None
        body = self.rfile.read(int(digits))
        if len(body) < int(digits):
            self.close_connection = True
            return None
        return body

    def _refuse(self, status: HTTPStatus, words: str, *, allow: str | None = None) -> None:
        """Refuse a request whose body, if it has one, was not read: the connection cannot be used again."""
        self.close_connection = True
        self._send(status, f"{words}\n".encode(), allow=allow)

    def _send(
        self, status: HTTPStatus, body: bytes, *, content_type: str = TEXT_TYPE, allow: str | None = None
    ) -> None:
        self._sent_bytes = len(body)
        self.connection.settimeout(REQUEST_SECONDS)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        if allow is not None:
            self.send_header("Allow", allow)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request that http.server reads, in plain text."""
        del explain
        self._refuse(HTTPStatus(code), message or HTTPStatus(code).phrase)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write the access line of a request."""
        del size
        line = f"{self.client_address[0]} {self.requestline!r} {int(code)} {self._sent_bytes} {self._words}"
        plain = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
        self.server.tell(f"{format_time(self.server.clock.now())} {plain.rstrip()}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing more: the access line says it."""
