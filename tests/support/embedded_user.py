"""A process of its own that uses the embedded server of a home folder, possibly as another user.

It reads one command a line from standard input and answers each with one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

_REPOSITORY = Path(__file__).resolve().parents[2]


class EmbeddedUser:
    """The handle on such a process; a context manager that ends it cleanly.

    Attributes:
        answer: what it said once it had the server, or the error it got.
    """

    def __init__(self, home: Path, *, as_user: int | None = None, wheel: Path | None = None) -> None:
        options = json.dumps({"home": str(home), "user": as_user, "wheel": wheel and str(wheel)})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.embedded_user", options],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answer: dict[str, Any] = {}

    def wait(self) -> Self:
        """Wait until it has the server or could not get it."""
        assert self.process.stdout is not None
        self.answer = json.loads(self.process.stdout.readline())
        return self

    def kill(self) -> None:
        """End it without a chance to clean up."""
        self.process.kill()
        self.process.communicate()

    def leave(self) -> None:
        """Let it leave the server and end."""
        self.process.communicate()

    def __enter__(self) -> Self:
        return self.wait()

    def __exit__(self, *_: object) -> None:
        self.leave()


def main() -> None:
    """Start the server, say what came of it, and leave it when standard input ends."""
    import psycopg

    from ledger.errors import EmbeddedServerError
    from ledger.store.embedded import EmbeddedServer

    options = json.loads(sys.argv[1])
    if options["wheel"] is not None:
        sys.path.insert(0, options["wheel"])
    if options["user"] is not None:
        # What psycopg imports late may be out of reach after this.
        with suppress(psycopg.OperationalError):
            psycopg.connect("host=/nonexistent")
        os.setgroups([])
        os.setgid(options["user"])
        os.setuid(options["user"])
    try:
        with EmbeddedServer.start(Path(options["home"])) as server:
            status = EmbeddedServer.status(Path(options["home"]))
            with psycopg.connect(server.url) as connection:
                folder = connection.execute("SHOW unix_socket_directories").fetchone()
            answer = {
                "process_id": status.process_id,
                "data_directory": str(server.data_directory),
                "url": server.url,
                "socket_folder": folder and folder[0].strip('"'),
            }
            print(json.dumps(answer), flush=True)
            sys.stdin.read()
    except EmbeddedServerError as error:
        print(json.dumps({"error": error.message, "next_step": error.next_step}), flush=True)


if __name__ == "__main__":
    main()
