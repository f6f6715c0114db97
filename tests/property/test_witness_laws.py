"""Whatever a log sends, in whatever order and across restarts: a witness vouches for one history."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.checkpoint import verify_signature
from ledger.clock import FixedClock
from ledger.note import Signature
from ledger.proof import ConsistencyProof
from ledger.witness.decision import Verdict
from tests.support.growing_log import GrowingLog
from tests.support.keys import AT
from tests.support.witnesses import PUBLIC_KEYS, make_folder, make_witness

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.witness.decision import Answer

LARGEST = 12
SIZES = st.integers(0, LARGEST)
HONEST = GrowingLog()
HISTORIES = (HONEST, HONEST.fork(2), HONEST.fork(7), HONEST.fork(7, 2), HONEST.fork(2).fork(9))
REQUESTS = st.tuples(
    st.sampled_from(HISTORIES),
    st.one_of(st.none(), SIZES),  # None: from where the witness is
    SIZES,
    st.sampled_from([0, 0, 0, 1, 2]),  # the history that the proof is of: this one, or the next ones
    st.integers(-8, 20),  # seconds that the clock moves
    st.booleans(),  # whether the witness starts again before
)


def cosigned_time(answer: Answer, log: GrowingLog, size: int) -> datetime:
    """The one time in the lines of an answer, all of which hold for the checkpoint."""
    times = set()
    for key, line in zip(PUBLIC_KEYS, answer.body.decode().splitlines(), strict=True):
        verified = verify_signature(key, Signature.parse(line), log.checkpoint(size))
        assert verified is not None, f"{line[:60]} does not hold for size {size}"
        assert verified.signed_at is not None
        times.add(verified.signed_at)
    [time] = times
    return time


@given(st.lists(REQUESTS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_all_that_a_witness_cosigns_is_one_history(
    requests: list[tuple[GrowingLog, int | None, int, int, int, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = make_folder(Path(place) / "w")
        clock = FixedClock(AT)
        witness = make_witness(folder, clock=clock)
        vouched: list[tuple[GrowingLog, int, datetime]] = []
        for log, old, size, other, seconds, restart in requests:
            clock.at += timedelta(seconds=seconds)
            if restart:
                witness = make_witness(folder, clock=clock)
            at = vouched[-1][1] if vouched else 0
            start = at if old is None else old
            proof_of = HISTORIES[(HISTORIES.index(log) + other) % len(HISTORIES)]
            hashes = proof_of.proof(start, size) if start <= size else ()
            answer = witness.add_checkpoint(ConsistencyProof(start, hashes, log.note(size)).encode())
            grew = start == at <= size and (not vouched or log.root(at) == vouched[-1][0].root(at))
            if answer.verdict is Verdict.COSIGNED:
                assert grew, f"{log} at {size} does not grow from {vouched[-1:]}"
                vouched.append((log, size, cosigned_time(answer, log, size)))
            else:
                late = bool(vouched) and clock.at < vouched[-1][2] - timedelta(seconds=5)
                assert late or not grew or other, f"{answer.reason}, though {log} grew from {at} to {size}"
        sizes, times = [each[1] for each in vouched], [each[2] for each in vouched]
        assert sizes == sorted(sizes)
        assert times == sorted(times)
        for earlier, size, _ in vouched:
            assert earlier.root(size) == vouched[-1][0].root(size)
        assert folder.logs()[0].size == (vouched[-1][1] if vouched else 0)
