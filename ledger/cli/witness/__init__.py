"""``ledger witness``: what an independent party runs, with a folder and keys of its own and no database."""

from __future__ import annotations

from ledger.cli.common import LazyGroup

COMMANDS = {
    "init": "ledger.cli.witness.setup:init",
    "trust": "ledger.cli.witness.setup:trust",
    "list": "ledger.cli.witness.setup:list_",
    "cosign": "ledger.cli.witness.cosign:cosign",
    "serve": "ledger.cli.witness.serve:serve",
}

witness = LazyGroup(
    name="witness",
    help="Watch ledgers from outside: cosign a checkpoint only if it grew from the last one cosigned.\n\n"
    "For a regulator or auditor (docs/explanation/witness.md); needs no database. DIR is the folder of the "
    "witness.",
    short_help="Watch ledgers from outside, and cosign their checkpoints.",
    commands_by_name=COMMANDS,
)
