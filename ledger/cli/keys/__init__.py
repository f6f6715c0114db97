"""``ledger keys``: signing keys, which are kept outside the database."""

from ledger.cli.common import LazyGroup

keys = LazyGroup(
    name="keys",
    help="Make, list, rotate and publish the keys that sign checkpoints and bundles.",
    commands_by_name={
        "generate": "ledger.cli.keys.generate:generate",
        "list": "ledger.cli.keys.list_:list_",
        "rotate": "ledger.cli.keys.rotate:rotate",
        "export-public": "ledger.cli.keys.export_public:export_public",
    },
)
