"""``replay margin``: what a maintenance requirement should be, and what became of the one in force."""

from ledger.cli.common import LazyGroup

margin = LazyGroup(
    name="margin",
    help="Estimate maintenance rates from recorded prices, test requirements, and show who breaches when.",
    commands_by_name={
        "recommend": "replay.cli.margin.recommend:recommend",
        "test": "replay.cli.margin.requirement:test",
        "sensitivity": "replay.cli.margin.sensitivity:sensitivity",
        "breaches": "replay.cli.margin.breaches:breaches",
    },
)
