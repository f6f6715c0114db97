"""The command lines as a user runs them: a process of its own, installed or from the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parents[2]
_PROGRAM = "import sys; sys.argv[0] = '{0}'; from {0}.cli import main; main()"
_DEMO = """
from ledger.cli.common import LazyGroup, run
run(LazyGroup(name="ledger", commands_by_name={"demo": "replay.cli.demo:demo"}))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What a command printed and how it ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        value = json.loads(self.stdout)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True, slots=True)
class Commands:
    """The programs ``ledger`` and ``replay`` on one database, in a folder of their own."""

    database_url: str
    folder: Path

    def run(self, program: str, *words: str) -> Run:
        """Run a command and wait for its end."""
        return self._run(_PROGRAM.format(program), *words)

    def _run(self, code: str, *words: str) -> Run:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(_REPOSITORY),
                "LEDGER_DATABASE_URL": self.database_url,
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def ledger(self, *words: str) -> Run:
        """Run ``ledger``."""
        return self.run("ledger", *words)

    def demo(self, *words: str) -> Run:
        """Run ``ledger demo``, whose entry point only an installed distribution has."""
        return self._run(_DEMO, "demo", *words)

    def replay(self, *words: str) -> Run:
        """Run ``replay``."""
        return self.run("replay", *words)
