"""``ledger prove``: proofs for people who have no access to the database."""

from ledger.cli.common import LazyGroup

prove = LazyGroup(
    name="prove",
    help="Make and check proofs that an event is in the log, and that the log only grew.",
    commands_by_name={
        "inclusion": "ledger.cli.prove.inclusion:inclusion",
        "consistency": "ledger.cli.prove.consistency:consistency",
        "check": "ledger.cli.prove.check:check",
    },
)
