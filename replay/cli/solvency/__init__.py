"""``replay solvency``: what customers and auditors can check of what a venue owes."""

from ledger.cli.common import LazyGroup

solvency = LazyGroup(
    name="solvency",
    help="Check whether what a venue owes is all there.",
    commands_by_name={
        "sampling": "replay.cli.solvency.sampling:sampling",
        "stress": "replay.cli.solvency.stress:stress",
    },
)
