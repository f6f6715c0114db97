"""Fixtures for every test: databases, and the data that lies beside the repository."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import fresh_database, make_system_folder, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPOSITORY = Path(__file__).resolve().parent.parent
_SYSTEM_FOLDER = pytest.StashKey[Path]()

# Tests are never timed: a busy machine makes no law fail.
settings.register_profile(
    "untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach what tests start; as root, keep the data of embedded servers out of /var/lib."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        return  # workers inherit the environment of the process that starts them
    folder = make_system_folder()
    if folder is not None:
        config.stash[_SYSTEM_FOLDER] = folder
        os.environ["LEDGER_SYSTEM_DIR"] = str(folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    folder = config.stash.get(_SYSTEM_FOLDER, None)
    if folder is not None:
        os.environ.pop("LEDGER_SYSTEM_DIR", None)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Postgres where databases and roles may be made; the workers of a run share it."""
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with running_server(run / "server-home") as url:
        yield url


@pytest.fixture
def database_url(database_server_url: str) -> Iterator[str]:
    """The URL of an empty database that this test alone uses."""
    with fresh_database(database_server_url) as url:
        yield url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real venue data."""
    return _beside_the_repository("data")


@pytest.fixture(scope="session")
def shared_vectors() -> Path:
    """The folder of published test vectors."""
    return _beside_the_repository("vectors")


def _beside_the_repository(name: str) -> Path:
    shared = Path(os.environ.get("LEDGER_SHARED_DIR") or _REPOSITORY.parent / "shared")
    folder = shared / name
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist; LEDGER_SHARED_DIR names the folder that holds {name}")
    return folder
