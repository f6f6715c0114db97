"""``ledger init``."""

from __future__ import annotations

import click

from ledger.cli.common import Session, ledger_command
from ledger.errors import InvalidInputError
from ledger.store.database import displayed_url, make_engine, translated_errors


@ledger_command("init")
@click.option(
    "--origin", metavar="NAME", help="The ledger's name for ever, for example venue.example/perpetuals."
)
@click.option(
    "--valuation-currency",
    default="USD",
    show_default=True,
    metavar="ASSET",
    help="What accounts are valued in, for ever.",
)
@click.option("--description", default="", help="A sentence about this ledger.")
@click.option(
    "--upgrade", "only_upgrade", is_flag=True, help="Only bring the tables of an existing ledger up to date."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and record nothing.")
def init(
    session: Session,
    *,
    origin: str | None,
    valuation_currency: str,
    description: str,
    only_upgrade: bool,
    dry_run: bool,
) -> None:
    """Open a ledger: make its tables and record the first event.

    Origin and valuation currency are part of every hash from then on; they can never be changed.
    """
    from ledger.store.ledger import Ledger, check_opening
    from ledger.store.migrate import newest_revision, upgrade

    if (origin is None) == (not only_upgrade):
        raise InvalidInputError(
            "give --origin NAME for a new ledger, or --upgrade for an existing one",
            next_step="ledger init --origin venue.example/perpetuals",
        )
    if origin is not None:
        check_opening(origin, valuation_currency, description)
    with session.settings.database() as url:
        where = displayed_url(url)
        done = {"database_url": where, "dry_run": dry_run, "schema_revision": newest_revision()}
        if only_upgrade:
            if not dry_run:
                engine = make_engine(url)
                with translated_errors(engine.url):
                    upgrade(engine)
            roles = {} if dry_run else _roles(url)
            session.emit(
                {"schema": "ledger.init/1", **done, "roles": roles},
                "\n".join([f"The tables in {where} are up to date.", *_words(roles)]),
            )
            return
        assert origin is not None  # noqa: S101 (checked above)
        if not dry_run:
            Ledger.initialise(
                url, origin=origin, valuation_currency=valuation_currency, description=description
            ).close()
        roles = {} if dry_run else _roles(url)
        document = {"schema": "ledger.init/1", **done, "origin": origin}
        session.emit(
            {**document, "valuation_currency": valuation_currency, "roles": roles},
            "\n".join(
                [
                    f"{'Would open' if dry_run else 'Opened'} the ledger {origin} in {where}.",
                    f"Its name and its valuation currency {valuation_currency} are permanent.",
                    *_words(roles),
                    "Next: ledger import SOURCE PATH…, or ledger append FILE",
                ]
            ),
        )


def _roles(url: str) -> dict[str, str]:
    """Return the names of the ledger's roles by kind; none are known before they are made."""
    from ledger.store.roles import role_names

    engine = make_engine(url)
    with translated_errors(engine.url), engine.connect() as connection:
        return {kind.value: name for kind, name in role_names(connection).items()}


def _words(roles: dict[str, str]) -> list[str]:
    return [f"Its roles, to be given with GRANT role TO user: {', '.join(roles.values())}"] if roles else []
