"""The ``ledger`` command: one short file a subcommand, everything it does can be called from Python."""

from __future__ import annotations

from ledger.cli.common import LazyGroup, run

COMMANDS = {
    "init": "ledger.cli.init:init",
    "import": "ledger.cli.import_:import_",
    "append": "ledger.cli.append:append",
    "log": "ledger.cli.log:log",
    "show": "ledger.cli.show:show",
    "verify": "ledger.cli.verify:verify",
    "checkpoint": "ledger.cli.checkpoint:checkpoint",
    "prove": "ledger.cli.prove:prove",
    "timestamp": "ledger.cli.timestamp:timestamp",
    "witness": "ledger.cli.witness:witness",
    "keys": "ledger.cli.keys:keys",
    "export": "ledger.cli.export:export",
    "check-bundle": "ledger.cli.check_bundle:check_bundle",
    "doctor": "ledger.cli.doctor:doctor",
}

group = LazyGroup(
    name="ledger",
    help="An append-only, hash-chained ledger of what a derivatives venue's margin engine knew and did.",
    commands_by_name=COMMANDS,
    with_version=True,
    entry_point_group="ledger.commands",
)


def main() -> None:
    """Run the command line."""
    run(group)
