"""``replay solvency``: what customers and auditors can check of what a venue owes."""

from ledger.cli.common import LazyGroup

solvency = LazyGroup(
    name="solvency",
    help="Prove what a venue owes and what covers it, and check such proofs.",
    commands_by_name={
        "prove": "replay.cli.solvency.prove:prove",
        "verify": "replay.cli.solvency.verify:verify",
        "inclusion": "replay.cli.solvency.inclusion:inclusion",
        "check-inclusion": "replay.cli.solvency.check_inclusion:check_inclusion",
        "page": "replay.cli.solvency.page:page",
        "watch": "replay.cli.solvency.watch:watch",
        "sampling": "replay.cli.solvency.sampling:sampling",
        "stress": "replay.cli.solvency.stress:stress",
    },
)
