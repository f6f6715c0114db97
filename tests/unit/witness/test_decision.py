"""The answers of C2SP tlog-witness, add-checkpoint, in the order of its checks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ledger.checkpoint import Checkpoint, SigningKey, sign_checkpoint, verify_signature
from ledger.note import Note, Signature
from ledger.proof import ConsistencyProof
from ledger.witness.decision import Answer, Verdict, WatchedLog, consider, shows_another_beginning
from tests.support.growing_log import GrowingLog
from tests.support.keys import AT, ORIGIN, log_key, quantum_key, signed, witness_key
from tests.support.witnesses import KEYS, PUBLIC_KEYS

if TYPE_CHECKING:
    from datetime import datetime

LOG = GrowingLog()
NEW = WatchedLog(ORIGIN, (log_key().verifier, quantum_key().verifier))
STRANGER = log_key(seed="another")


def ask(request: bytes, log: WatchedLog | None = NEW, *, at: datetime = AT) -> Answer:
    return consider(request, log, KEYS, at)


def watched(size: int, *, at: datetime = AT) -> WatchedLog:
    """A log of which a size was cosigned."""
    cosigned = ask(LOG.request(0, size), at=at).cosigned
    assert cosigned is not None
    return replace(NEW, last=cosigned)


AT_FIVE = watched(5)


def request(old_size: int, size: int, *hashes: bytes, note: bytes | None = None) -> bytes:
    return ConsistencyProof(old_size, hashes, note or LOG.note(size)).encode()


def changed_signature(note: bytes) -> bytes:
    """The note, with a signature that names the same key and does not hold."""
    parsed = Note.parse(note)
    first = parsed.signatures[0]
    false = Signature(first.name, first.key_id, bytes(len(first.value)))
    return Note(parsed.text, (false, *parsed.signatures[1:])).encode()


def extended(*keys: SigningKey) -> bytes:
    """A signed checkpoint of size 5 with an extension line."""
    return sign_checkpoint(replace(LOG.checkpoint(5), extension="more\n"), keys, AT).encode()


@pytest.mark.parametrize(
    ("log", "body"),
    [
        pytest.param(NEW, request(0, 5, note=extended(log_key(), quantum_key())), id="extension lines"),
        pytest.param(NEW, LOG.request(0, 5), id="the first checkpoint of a log, with an empty proof"),
        pytest.param(NEW, LOG.request(0, 0), id="a log that is still empty"),
        pytest.param(AT_FIVE, LOG.request(5, 8), id="growth"),
        pytest.param(AT_FIVE, LOG.request(5, 5), id="the same checkpoint again"),
        pytest.param(AT_FIVE, LOG.request(5, 8, quantum_key()), id="signed by the ML-DSA-44 key alone"),
        pytest.param(
            AT_FIVE, LOG.request(5, 8, STRANGER, witness_key("w"), log_key()), id="unknown signers beside it"
        ),
    ],
)
def test_200_what_grew_is_cosigned_by_both_keys(log: WatchedLog, body: bytes) -> None:
    answer = ask(body, log)
    assert (answer.verdict, answer.verdict.status) == (Verdict.COSIGNED, 200)
    assert answer.cosigned is not None
    checkpoint = Checkpoint.parse(Note.parse(ConsistencyProof.parse(body).checkpoint).text)
    assert answer.cosigned.checkpoint == checkpoint
    lines = answer.body.decode().splitlines()
    found = [
        verify_signature(key, Signature.parse(line), checkpoint)
        for key, line in zip(PUBLIC_KEYS, lines, strict=True)
    ]
    assert [each.signed_at if each else None for each in found] == [AT, AT]
    assert answer.contradicts is None


def test_what_is_kept_is_the_signed_text_with_the_signatures_that_count() -> None:
    answer = ask(LOG.request(0, 5, STRANGER, log_key()))
    assert answer.cosigned is not None
    names = [str(key) for key in (log_key().verifier, *PUBLIC_KEYS)]
    assert [f"{each.name}+{each.key_id.hex()}" for each in answer.cosigned.note.signatures] == names
    assert answer.cosigned.note.text == LOG.checkpoint(5).text()
    assert Note.parse(answer.cosigned.note.encode()) == answer.cosigned.note


def signed_often(times: int, *others: SigningKey, size: int = 5) -> bytes:
    """A checkpoint that one ML-DSA-44 key signed at many times, and other keys once."""
    checkpoint = LOG.checkpoint(size)
    often = tuple(quantum_key().sign(checkpoint, AT - timedelta(seconds=each)) for each in range(times))
    return sign_checkpoint(checkpoint, others, AT).with_signatures(often).encode()


def test_of_many_valid_lines_by_one_key_the_first_is_kept() -> None:
    note = signed_often(99, log_key())
    answer = ask(request(0, 5, note=note))
    assert answer.cosigned is not None
    assert answer.cosigned.note.signatures == (*Note.parse(note).signatures[:2], *answer.cosignatures)
    assert Note.parse(answer.cosigned.note.encode()) == answer.cosigned.note


def test_one_false_line_among_many_by_one_key_spoils_the_note() -> None:
    parsed = Note.parse(signed_often(20))
    last = parsed.signatures[-1]
    false = Signature(last.name, last.key_id, last.value[:-1] + bytes([last.value[-1] ^ 1]))
    note = Note(parsed.text, (*parsed.signatures[:-1], false)).encode()
    assert ask(request(0, 5, note=note)).verdict is Verdict.UNTRUSTED_SIGNATURE


@pytest.mark.parametrize(
    ("log", "note", "reason"),
    [
        pytest.param(
            NEW,
            sign_checkpoint(
                replace(LOG.checkpoint(5), extension="x" * 998_000 + "\n"), (log_key(),), AT
            ).encode(),
            "bytes",
            id="extension lines that leave no room",
        ),
        pytest.param(
            WatchedLog(ORIGIN, tuple(log_key(seed=f"{each}").verifier for each in range(99))),
            LOG.note(5, *(log_key(seed=f"{each}") for each in range(99))),
            "101 signatures",
            id="as many keys as a note has lines",
        ),
    ],
)
def test_400_what_could_not_be_read_back_is_not_cosigned(log: WatchedLog, note: bytes, reason: str) -> None:
    answer = ask(request(0, 5, note=note), log)
    assert (answer.verdict, answer.verdict.status) == (Verdict.MALFORMED, 400)
    assert reason in answer.reason
    assert (answer.cosigned, answer.cosignatures) == (None, ())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        LOG.note(5),
        b"old 0\n" + LOG.note(5),
        LOG.request(0, 5).replace(b"old 0", b"old 00"),
        LOG.request(0, 5).replace(b"old 0", b"old -1"),
        LOG.request(0, 5).replace(b"old 0\n", b"old 0\r\n"),
        LOG.request(0, 5).replace(b"\n\n", b"\nAAAA\n\n", 1),
        request(0, 5, *[bytes(32)] * 64),
        LOG.request(0, 5)[:-1],
        LOG.request(0, 5).replace(b"\n5\n", b"\n05\n"),
        LOG.request(0, 5).replace(ORIGIN.encode(), b"\xff", 1),
    ],
)
def test_400_a_request_has_one_form(body: bytes) -> None:
    answer = ask(body)
    assert (answer.verdict, answer.verdict.status) == (Verdict.MALFORMED, 400)
    assert answer.reason
    assert (answer.cosigned, answer.contradicts) == (None, None)


@pytest.mark.parametrize(
    ("log", "body", "verdict", "status"),
    [
        pytest.param(None, LOG.request(0, 5), Verdict.UNKNOWN_LOG, 404, id="no log of this origin"),
        pytest.param(
            NEW, GrowingLog("other.example").request(0, 5), Verdict.UNKNOWN_LOG, 404, id="another origin"
        ),
        pytest.param(
            NEW, LOG.request(0, 5, STRANGER), Verdict.UNTRUSTED_SIGNATURE, 403, id="signed by a stranger"
        ),
        pytest.param(
            NEW,
            request(0, 5, note=changed_signature(LOG.note(5))),
            Verdict.UNTRUSTED_SIGNATURE,
            403,
            id="a false signature",
        ),
        pytest.param(
            NEW,
            request(0, 5, note=changed_signature(LOG.note(5, log_key(), quantum_key()))),
            Verdict.UNTRUSTED_SIGNATURE,
            403,
            id="a false signature beside a true one",
        ),
        pytest.param(
            NEW,
            request(0, 5, note=extended(quantum_key())),
            Verdict.UNTRUSTED_SIGNATURE,
            403,
            id="extension lines that no signature covers",
        ),
        pytest.param(AT_FIVE, request(9, 8), Verdict.IMPOSSIBLE_SIZE, 400, id="old above new"),
        pytest.param(NEW, request(6, 5), Verdict.IMPOSSIBLE_SIZE, 400, id="old above new, never cosigned"),
        pytest.param(AT_FIVE, LOG.request(0, 8), Verdict.OTHER_SIZE, 409, id="starts too early"),
        pytest.param(AT_FIVE, LOG.request(6, 8), Verdict.OTHER_SIZE, 409, id="starts too late"),
        pytest.param(AT_FIVE, LOG.request(3, 4), Verdict.OTHER_SIZE, 409, id="an older checkpoint"),
        pytest.param(NEW, LOG.request(3, 5), Verdict.OTHER_SIZE, 409, id="nothing was cosigned yet"),
        pytest.param(AT_FIVE, request(5, 8), Verdict.UNPROVEN, 422, id="no proof"),
        pytest.param(
            AT_FIVE, request(5, 8, *LOG.proof(4, 8)), Verdict.UNPROVEN, 422, id="the proof of another size"
        ),
        pytest.param(
            AT_FIVE, request(5, 8, *LOG.proof(5, 8), bytes(32)), Verdict.UNPROVEN, 422, id="one hash too many"
        ),
        pytest.param(AT_FIVE, LOG.fork(3).request(5, 8), Verdict.UNPROVEN, 422, id="a fork"),
        pytest.param(NEW, request(0, 5, bytes(32)), Verdict.UNPROVEN, 422, id="old 0 with a proof"),
        pytest.param(AT_FIVE, request(5, 5, bytes(32)), Verdict.UNPROVEN, 422, id="the same with a proof"),
        pytest.param(AT_FIVE, LOG.fork(3).request(5, 5), Verdict.OTHER_ROOT, 409, id="a second root"),
        pytest.param(
            NEW, request(0, 0, note=signed(0, bytes(32))), Verdict.OTHER_ROOT, 409, id="empty, with a root"
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    log: WatchedLog | None, body: bytes, verdict: Verdict, status: int
) -> None:
    answer = ask(body, log)
    assert (answer.verdict, answer.verdict.status) == (verdict, status)
    assert answer.cosigned is None
    assert "—" not in answer.body.decode()


OTHER = GrowingLog("other.example")
WRONG_IN_THIS_AND_EVERY_LATER_WAY = [
    (b"old x\n\n" + OTHER.note(4, STRANGER), Verdict.MALFORMED),
    (request(9, 4, bytes(32), note=OTHER.note(4, STRANGER)), Verdict.UNKNOWN_LOG),
    (request(9, 4, bytes(32), note=LOG.fork(1).note(4, STRANGER)), Verdict.UNTRUSTED_SIGNATURE),
    (request(9, 4, bytes(32), note=LOG.fork(1).note(4)), Verdict.IMPOSSIBLE_SIZE),
    (request(4, 5, bytes(32), note=LOG.fork(1).note(5)), Verdict.OTHER_SIZE),
    (request(5, 5, bytes(32), note=LOG.fork(1).note(5)), Verdict.UNPROVEN),
    (request(5, 5, note=LOG.fork(1).note(5)), Verdict.OTHER_ROOT),
]


@pytest.mark.parametrize(("body", "verdict"), WRONG_IN_THIS_AND_EVERY_LATER_WAY)
def test_the_first_check_that_fails_gives_the_status(body: bytes, verdict: Verdict) -> None:
    assert ask(body, AT_FIVE).verdict is verdict


@pytest.mark.parametrize(("log", "line"), [(NEW, b"0\n"), (AT_FIVE, b"5\n")])
def test_a_conflict_of_sizes_says_the_size_and_nothing_else(log: WatchedLog, line: bytes) -> None:
    answer = ask(LOG.request(4, 8), log)
    assert (answer.content_type, answer.body) == ("text/x.tlog.size", line)


def test_a_conflict_of_roots_says_no_size_since_no_proof_from_there_would_help() -> None:
    answer = ask(LOG.fork(3).request(5, 5), AT_FIVE)
    assert answer.content_type != "text/x.tlog.size"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(LOG.fork(3).request(5, 5), id="a second root"),
        pytest.param(LOG.fork(3).request(0, 5), id="a second root, asked from another size"),
        pytest.param(request(6, 5, note=LOG.fork(3).note(5)), id="a second root, from an impossible size"),
        pytest.param(LOG.fork(3).request(5, 8), id="a fork that grew"),
    ],
)
def test_a_signed_checkpoint_that_does_not_fit_is_evidence(body: bytes) -> None:
    assert ask(body, AT_FIVE).contradicts == AT_FIVE.last


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(LOG.request(0, 8), id="another old size"),
        pytest.param(LOG.request(0, 5), id="another old size, for what was cosigned"),
        pytest.param(LOG.fork(3).request(5, 8, STRANGER), id="a fork by a stranger"),
        pytest.param(request(5, 5, bytes(32)), id="what was cosigned, with a proof too much"),
        pytest.param(LOG.request(3, 4), id="an older size, which cannot be compared"),
    ],
)
def test_a_clumsy_request_is_no_evidence(body: bytes) -> None:
    answer = ask(body, AT_FIVE)
    assert answer.verdict is not Verdict.COSIGNED
    assert answer.contradicts is None


@pytest.mark.parametrize(
    ("seconds_later", "signed_seconds_later"),
    [(0, 0), (90, 90), (-1, 0), (-5, 0)],
)
def test_a_cosigned_time_never_runs_backwards(seconds_later: int, signed_seconds_later: int) -> None:
    answer = ask(LOG.request(5, 8), AT_FIVE, at=AT + timedelta(seconds=seconds_later))
    assert answer.cosigned is not None
    assert answer.cosigned.at == AT + timedelta(seconds=signed_seconds_later)


@pytest.mark.parametrize("behind", [timedelta(seconds=5, microseconds=1), timedelta(days=900)])
def test_503_a_clock_that_was_set_back_signs_nothing(behind: timedelta) -> None:
    answer = ask(LOG.request(5, 8), AT_FIVE, at=AT - behind)
    assert (answer.verdict, answer.verdict.status, answer.cosigned) == (Verdict.CLOCK_BEHIND, 503, None)


def test_a_cosigned_time_is_in_whole_seconds() -> None:
    cosigned = ask(LOG.request(0, 5), at=AT + timedelta(microseconds=999_999)).cosigned
    assert cosigned is not None
    assert cosigned.at == AT


@pytest.mark.parametrize("old_size", range(1, 17))
def test_the_proof_of_a_fork_shows_that_it_begins_otherwise(old_size: int) -> None:
    last = LOG.checkpoint(old_size)
    power_of_two = old_size & (old_size - 1) == 0  # there the old root is not in the proof
    for size in range(old_size + 1, 20):
        for forked in range(size):
            fork = LOG.fork(forked)
            proof = ConsistencyProof(old_size, fork.proof(old_size, size), fork.note(size))
            assert shows_another_beginning(proof, fork.checkpoint(size), last) is (
                forked < old_size and not power_of_two
            )


def test_a_made_up_proof_shows_nothing() -> None:
    published, last = LOG.checkpoint(8), LOG.checkpoint(5)
    good = LOG.proof(5, 8)
    for hashes in (
        (),
        (bytes(32),),
        good[:-1],
        (*good, bytes(32)),
        (bytes(32), *good[1:]),
        good[::-1],
        LOG.fork(3).proof(5, 8),
        LOG.proof(3, 8),
        (b"short", *good[1:]),
        tuple(bytes([each]) * 32 for each in range(63)),
    ):
        proof = ConsistencyProof(5, hashes, LOG.note(8))
        assert not shows_another_beginning(proof, published, last), hashes
    for old_size in (0, 3, 6, 8, 9):
        proof = ConsistencyProof(old_size, LOG.fork(3).proof(5, 8), LOG.fork(3).note(8))
        assert not shows_another_beginning(proof, LOG.fork(3).checkpoint(8), last), old_size
