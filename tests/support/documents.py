"""Pages with commands, word for word: their files are saved, their commands run, their outputs compared.

``<!-- file: NAME -->`` before a block names a file with its content; ``console`` blocks hold commands
after ``$`` and what they print, where ``…`` stands for any text, and a line ``…`` for any lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\n```\w+\n(?P<content>.*?)```", re.DOTALL)
CONSOLE = re.compile(r"```console\n(?P<lines>.*?)```", re.DOTALL)


def programs(folder: Path) -> Path:
    """Make ``ledger`` and ``replay`` that run this source tree with this interpreter."""
    for name in ("ledger", "replay"):
        program = folder / name
        program.write_text(f"#!{sys.executable}\nfrom {name}.cli import main\nmain()\n")
        program.chmod(0o755)
    return folder


def console_commands(page: str) -> list[tuple[str, str]]:
    """Return each command of a page with the output that it shows."""
    found: list[tuple[str, str]] = []
    for block in CONSOLE.finditer(page):
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


def follow(page: str, folder: Path, path: Path, database_url: str) -> int:
    """Do all that a page says in a folder; return how many commands that were."""
    environment = {
        **os.environ,
        "PATH": f"{path}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "LEDGER_DATABASE_URL": database_url,
    }
    for file in FILE.finditer(page):
        (folder / file["name"]).write_text(file["content"], encoding="utf-8")
    commands = console_commands(page)
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
    return len(commands)
