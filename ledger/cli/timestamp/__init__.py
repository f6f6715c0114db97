"""``ledger timestamp``: RFC 3161 tokens over signed checkpoints."""

from ledger.cli.common import LazyGroup

timestamp = LazyGroup(
    name="timestamp",
    help="Ask for, keep and check timestamps of an authority outside (RFC 3161) over signed checkpoints.",
    commands_by_name={
        "request": "ledger.cli.timestamp.request:request",
        "store": "ledger.cli.timestamp.store:store",
        "check": "ledger.cli.timestamp.check:check",
    },
)
