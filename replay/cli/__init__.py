"""The ``replay`` command: one short file a subcommand, everything it does can be called from Python."""

from __future__ import annotations

from ledger.cli.common import LazyGroup, run

COMMANDS = {
    "account": "replay.cli.account:account",
    "venue": "replay.cli.venue:venue",
    "audit": "replay.cli.audit:audit",
    "margin": "replay.cli.margin:margin",
    "solvency": "replay.cli.solvency:solvency",
    "rebuild": "replay.cli.rebuild:rebuild",
}

group = LazyGroup(
    name="replay",
    help="Rebuild a venue's margin state from its recorded events, and judge what was done.",
    commands_by_name=COMMANDS,
    with_version=True,
    entry_point_group="replay.commands",
)


def main() -> None:
    """Run the command line."""
    run(group)
