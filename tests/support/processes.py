"""Commands run as a user runs them: in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
_COMMAND = "from {package}.cli import main; main()"


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


def command_line(*words: str, package: str = "ledger") -> list[str]:
    """Return the words that start a command from this checkout."""
    return [sys.executable, "-c", _COMMAND.format(package=package), *words]


def environment(url: str | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a command; without a URL it is left to options and defaults."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LEDGER_DATABASE")}
    if url is not None:
        kept["LEDGER_DATABASE_URL"] = url
    return {**kept, "PYTHONPATH": str(REPOSITORY), **more}


def run(
    *words: str,
    url: str | None = None,
    stdin: str | bytes = b"",
    cwd: Path | None = None,
    package: str = "ledger",
) -> Outcome:
    """Run a command to its end."""
    done = subprocess.run(
        command_line(*words, package=package),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        env=environment(url),
        cwd=cwd,
        check=False,
        timeout=120,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
