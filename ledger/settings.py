"""Where the ledger is: command line, environment, config file, or the embedded server."""

from __future__ import annotations

import os
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ledger.errors import InvalidInputError, LedgerNotInitialisedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_HOME = Path(".ledger")
CONFIG_FILE = "config.toml"
_KNOWN_KEYS = {"database_url"}
_CONFIG_HINT = 'write database_url = "postgresql://…" or remove the file'


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command works with.

    Attributes:
        home: folder of the config file, the embedded server and what is kept outside the database.
        database_url: a Postgres URL, or None for the embedded server.
        chosen_by: what decided the database, for ``ledger doctor``.
    """

    home: Path
    database_url: str | None
    chosen_by: str

    @property
    def keys_folder(self) -> Path:
        """Where signing keys are kept."""
        return self.home / "keys"

    @property
    def checkpoints_folder(self) -> Path:
        """Where signed checkpoints are kept, which show whether the database was set back."""
        return self.home / "checkpoints"

    @classmethod
    def load(
        cls,
        *,
        database: str | None = None,
        home: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Resolve the settings: option > environment > config file > embedded server.

        Raises:
            InvalidInputError: the config file cannot be read or holds an unknown key.
        """
        env = os.environ if environment is None else environment
        place = home or Path(env.get("LEDGER_HOME") or DEFAULT_HOME)
        if database is not None:  # empty is a mistake, not a wish for another database
            return cls(place, database, "--database")
        if env.get("LEDGER_DATABASE_URL"):
            return cls(place, env["LEDGER_DATABASE_URL"], "LEDGER_DATABASE_URL")
        configured = _read_config(place / CONFIG_FILE).get("database_url")
        if configured:
            return cls(place, configured, str(place / CONFIG_FILE))
        return cls(place, None, "embedded server")

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the URL of a running database; the embedded server runs at least as long as the block.

        Raises:
            InvalidInputError: the URL is none of a Postgres database; names where it was given.
            EmbeddedServerError: the embedded server is not installed or does not start.
        """
        if self.database_url is not None:
            from ledger.store.database import sqlalchemy_url

            try:
                sqlalchemy_url(self.database_url)
            except InvalidInputError as error:
                raise InvalidInputError(
                    error.problem, place=(self.chosen_by,), next_step=error.next_step
                ) from None
            yield self.database_url
            return
        from ledger.store.embedded import EmbeddedServer

        with EmbeddedServer.start(self.home) as server:
            yield server.url

    @contextmanager
    def existing_database(self) -> Iterator[str]:
        """Give the URL of a running database, as :meth:`database` does, but make none.

        Raises:
            LedgerNotInitialisedError: the home has no embedded server yet.
            EmbeddedServerError: the embedded server is not installed or does not start.
        """
        if self.database_url is None:
            from ledger.store.embedded import EmbeddedServer

            if EmbeddedServer.status(self.home).data_directory is None:
                raise LedgerNotInitialisedError(
                    f"there is no ledger below {self.home}",
                    next_step="ledger init --origin NAME, or say where it is: --home DIR or --database URL",
                )
        with self.database() as url:
            yield url


def _read_config(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"the file cannot be read: {error}", place=(str(path),), next_step=_CONFIG_HINT
        ) from None
    unknown = sorted(config.keys() - _KNOWN_KEYS)
    if unknown or not all(isinstance(value, str) for value in config.values()):
        raise InvalidInputError(
            f"the key {unknown[0]!r} is not known" if unknown else "database_url is a string",
            place=(str(path),),
            next_step=_CONFIG_HINT,
        )
    return config
