"""The tutorial, word for word: every file it shows is saved, every command is run, every output compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TUTORIAL = (REPOSITORY / "docs" / "tutorial.md").read_text(encoding="utf-8")
FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\n```\w+\n(?P<content>.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(?P<lines>.*?)```", re.DOTALL)


def programs(folder: Path) -> Path:
    """Make ``ledger`` and ``replay`` that run this source tree with this interpreter."""
    for name in ("ledger", "replay"):
        program = folder / name
        program.write_text(f"#!{sys.executable}\nfrom {name}.cli import main\nmain()\n")
        program.chmod(0o755)
    return folder


def console_commands() -> list[tuple[str, str]]:
    """Return each command of the page with the output that it shows."""
    found: list[tuple[str, str]] = []
    for block in CONSOLE.finditer(TUTORIAL):
        for part in re.split(r"^\$ ", block["lines"], flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def pattern(shown: str) -> re.Pattern[str]:
    """Return what the output must match: a line ``…`` stands for any lines, elsewhere for any text."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) + r"\n"
        for line in shown.splitlines()
    ]
    return re.compile("".join(lines))


def test_the_tutorial_works_word_for_word_in_an_empty_folder(
    tmp_path_factory: pytest.TempPathFactory, database_url: str
) -> None:
    folder = tmp_path_factory.mktemp("tutorial")
    path = programs(tmp_path_factory.mktemp("bin"))
    environment = {
        **os.environ,
        "PATH": f"{path}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "LEDGER_DATABASE_URL": database_url,
    }
    for file in FILE.finditer(TUTORIAL):
        (folder / file["name"]).write_text(file["content"], encoding="utf-8")
    commands = console_commands()
    assert len(commands) > 10
    for command, shown in commands:
        expected_exit = re.search(r"^\[exit (\d+)\]\n", shown, flags=re.MULTILINE)
        output = re.sub(r"^\[exit \d+\]\n", "", shown, flags=re.MULTILINE)
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-o", "pipefail", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == int(expected_exit[1] if expected_exit else 0), (command, done.stdout)
        assert pattern(output).fullmatch(done.stdout), f"$ {command}\n{done.stdout}"
