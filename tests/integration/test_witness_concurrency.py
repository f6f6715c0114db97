"""Many at once, and the worst moment to be killed: checking and storing are one step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import pytest

from ledger.witness.decision import Verdict
from tests.support.growing_log import GrowingLog
from tests.support.processes import REPOSITORY
from tests.support.witnesses import make_folder, make_witness

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.witness.decision import Answer
    from ledger.witness.folder import WitnessFolder

LOG = GrowingLog()
THREADS = 12

ADD_IN_ITS_OWN_PROCESS = """
import sys
from pathlib import Path
from ledger.witness.folder import WitnessFolder
from tests.support.witnesses import NAME, make_witness
folder = WitnessFolder(Path(sys.argv[1]), NAME)
{before}
answer = make_witness(folder).add_checkpoint(Path(sys.argv[2]).read_bytes())
print(answer.verdict, flush=True)
"""
KILLED_BEFORE_THE_ANSWER = """
import os, signal
store = folder.store
def store_and_die(cosigned):
    store(cosigned)
    os.kill(os.getpid(), signal.SIGKILL)
folder.store = store_and_die
"""
KILLED_WHILE_IT_WRITES = """
import os, signal
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
"""


def all_at_once(folder: WitnessFolder, requests: list[bytes]) -> list[Answer]:
    """Send each request in a thread of its own, from one moment on, and watch the stored size."""
    barrier = threading.Barrier(len(requests) + 1)
    done = threading.Event()
    sizes: list[int] = []

    def send(request: bytes) -> Answer:
        barrier.wait()
        return make_witness(folder).add_checkpoint(request)

    def watch() -> None:
        barrier.wait()
        while not done.is_set():
            sizes.append(folder.logs()[0].size)

    with ThreadPoolExecutor(len(requests) + 1) as pool:
        watching = pool.submit(watch)
        futures = [pool.submit(send, request) for request in requests]
        wait(futures)
        done.set()
        watching.result()
        answers = [future.result() for future in futures]
    assert sizes == sorted(sizes), f"the stored size went back: {sizes}"
    return answers


def test_of_many_that_start_from_one_size_one_is_cosigned(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    make_witness(folder).add_checkpoint(LOG.request(0, 5))
    answers = all_at_once(folder, [LOG.request(5, 6 + number) for number in range(THREADS)])
    assert Counter(each.verdict for each in answers) == {Verdict.COSIGNED: 1, Verdict.OTHER_SIZE: THREADS - 1}
    [winner] = [each for each in answers if each.cosigned]
    assert folder.logs()[0].last == winner.cosigned
    assert {each.body for each in answers if not each.cosigned} == {f"{winner.size}\n".encode()}


def test_of_many_forks_at_once_one_is_cosigned(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    forks = [LOG.fork(3, way) for way in range(THREADS)]
    answers = all_at_once(folder, [fork.request(0, 8) for fork in forks])
    assert sum(each.cosigned is not None for each in answers) == 1
    assert len(make_witness(folder).evidence.cases(LOG.origin)) == THREADS - 1


def test_the_same_checkpoint_may_be_cosigned_by_all(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    make_witness(folder).add_checkpoint(LOG.request(0, 5))
    answers = all_at_once(folder, [LOG.request(5, 5)] * THREADS)
    assert {each.verdict for each in answers} == {Verdict.COSIGNED}


def test_processes_keep_each_other_out_as_threads_do(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "w")
    make_witness(folder).add_checkpoint(LOG.request(0, 3))
    code = ADD_IN_ITS_OWN_PROCESS.format(before="sys.stdin.readline()")
    running = []
    for number in range(4):
        file = tmp_path / f"request-{number}"
        file.write_bytes(LOG.fork(3, number).request(3, 8))
        running.append(start(code, folder.path, file))
    for each in running:
        assert each.stdin is not None
        each.stdin.write(b"go\n")
        each.stdin.flush()
    verdicts = Counter(each.communicate(timeout=60)[0].decode().strip() for each in running)
    assert verdicts == {"cosigned": 1, "other_size": 3}


def start(code: str, folder: Path, request: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(request)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


@pytest.mark.parametrize(
    ("before", "size_after"),
    [
        pytest.param(KILLED_BEFORE_THE_ANSWER, 8, id="stored, and not answered"),
        pytest.param(KILLED_WHILE_IT_WRITES, 5, id="not stored"),
    ],
)
def test_killed_at_the_worst_moment_the_log_gets_its_cosignature_and_a_fork_gets_none(
    tmp_path: Path, before: str, size_after: int
) -> None:
    folder = make_folder(tmp_path / "w")
    make_witness(folder).add_checkpoint(LOG.request(0, 5))
    file = tmp_path / "request"
    file.write_bytes(LOG.request(5, 8))
    killed = start(ADD_IN_ITS_OWN_PROCESS.format(before=before), folder.path, file)
    out, _ = killed.communicate(timeout=60)
    assert (killed.returncode, out) == (-signal.SIGKILL, b"")
    assert folder.logs()[0].size == size_after
    witness = make_witness(folder)
    if size_after == 8:  # the log asks again, is told the size, and asks from there
        assert witness.add_checkpoint(LOG.request(5, 8)).body == b"8\n"
        assert witness.add_checkpoint(LOG.fork(6).request(8, 8)).verdict is Verdict.OTHER_ROOT
        assert witness.add_checkpoint(LOG.request(8, 8)).verdict is Verdict.COSIGNED
    else:
        assert witness.add_checkpoint(LOG.request(5, 8)).verdict is Verdict.COSIGNED
