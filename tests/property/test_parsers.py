"""Whatever bytes strangers hand in: a value that is written as it was read, or an error of ours."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.canonical import encode
from ledger.checkpoint import Checkpoint
from ledger.note import Note, Signature, SignatureType, VerifierKey, is_of_small_order
from ledger.proof import MOST_HASHES, ConsistencyProof, InclusionProof
from ledger.tiles import Tile
from tests.support.parsers import PARSERS, NotWrittenAsReadError, Parser, holds

EACH = pytest.mark.parametrize("name", PARSERS)
# What the formats are made of, and what readers stumble over.
TOKENS = [
    *(b"\n", b"\n\n", b" ", b"+", b"=", b"==", b"\x00", b"\r", b"\t", b"\xff", b"\x80", b"0", b"9" * 5000),
    *("— ".encode(), "\u2028".encode(), "\u00a0".encode(), "٣".encode(), b"\xed\xb3\xbf", b"\\u0041"),
    *(b"index ", b"old ", b"extra ", b"tile/", b".p/", b"x001/", b"\xff\xff", b"\x00\x00"),
    *(b'"', b"\\", b"{", b"}", b"[" * 70, b"1.0", b"-0", b"1e5", b"NaN", b"null", b'"event":', b',"link":{'),
]


@st.composite
def mutated(draw: st.DrawFn, examples: tuple[bytes, ...]) -> bytes:
    """An example with one to four changes: bytes replaced, cut, repeated, moved, or tokens put in."""
    data = draw(st.sampled_from(examples))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        piece = draw(
            st.one_of(
                st.sampled_from(TOKENS),
                st.binary(max_size=4),
                st.just(b""),
                st.just(data[start:end] * 2),
                st.just(data[start:end][::-1]),
                st.just(data[start:end].swapcase()),
                st.just(draw(st.sampled_from(examples))[start:end]),
            )
        )
        data = data[:start] + piece + data[end:]
    return data


@EACH
def test_the_examples_are_accepted_and_written_as_they_were_read(name: str) -> None:
    assert all(holds(PARSERS[name], data) for data in PARSERS[name].examples)


@EACH
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_arbitrary_bytes_give_a_value_or_an_error_of_ours(name: str, data: st.DataObject) -> None:
    holds(PARSERS[name], data.draw(st.one_of(st.binary(max_size=200), st.text(max_size=80).map(str.encode))))


@EACH
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
def test_changed_examples_give_a_value_or_an_error_of_ours(name: str, data: st.DataObject) -> None:
    holds(PARSERS[name], data.draw(mutated(PARSERS[name].examples)))


@EACH
def test_every_prefix_and_every_changed_byte_of_an_example_gives_one_too(name: str) -> None:
    data = min(PARSERS[name].examples, key=lambda each: (not each, len(each)))
    for place in range(len(data)):
        holds(PARSERS[name], data[:place])
        for byte in (0, 10, 128, data[place] ^ 1):
            holds(PARSERS[name], data[:place] + bytes([byte]) + data[place + 1 :])


NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="+"),
    min_size=1,
    max_size=20,
)
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=MOST_HASHES).map(tuple)
NUMBERS = st.integers(0, 2**63 - 1)
LINES = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), min_size=1, max_size=20)
SIGNATURES = st.builds(
    Signature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)
)
NOTES = st.builds(
    Note,
    st.lists(LINES | st.just(""), min_size=1, max_size=5).map(lambda lines: "".join(f"{x}\n" for x in lines)),
    st.lists(SIGNATURES, min_size=1, max_size=5).map(tuple),
)
CHECKPOINTS = st.builds(
    Checkpoint,
    LINES,
    NUMBERS,
    st.binary(min_size=32, max_size=32),
    st.lists(LINES, max_size=3).map(lambda lines: "".join(f"{line}\n" for line in lines)),
)
SIZES = {SignatureType.ED25519: 32, SignatureType.COSIGNATURE: 32, SignatureType.ML_DSA_44: 1312}
KEYS = (
    st.sampled_from(list(SIZES.items()))
    .flatmap(
        lambda kind: st.builds(
            VerifierKey, NAMES, st.just(kind[0]), st.binary(min_size=kind[1], max_size=kind[1])
        )
    )
    .filter(lambda key: not is_of_small_order(key.public_key))
)  # which are refused


@given(NOTES)
def test_every_note_is_read_as_it_was_made(note: Note) -> None:
    assert Note.parse(note.encode()) == note


@given(KEYS)
def test_every_key_is_read_as_it_was_made(key: VerifierKey) -> None:
    assert VerifierKey.parse(key.encode()) == key


@given(CHECKPOINTS)
def test_every_checkpoint_is_read_as_it_was_made(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(checkpoint.text()) == checkpoint


@given(st.builds(InclusionProof, NUMBERS, HASHES, st.binary(), st.none() | st.binary(min_size=1)))
def test_every_inclusion_proof_is_read_as_it_was_made(proof: InclusionProof) -> None:
    assert InclusionProof.parse(proof.encode()) == proof


@given(st.builds(ConsistencyProof, NUMBERS, HASHES, st.binary()))
def test_every_consistency_proof_is_read_as_it_was_made(proof: ConsistencyProof) -> None:
    assert ConsistencyProof.parse(proof.encode()) == proof


@given(st.integers(0, 63), st.integers(0, 2**55 - 1), st.integers(1, 256))
@example(63, 2**55 - 1, 255)
def test_every_tile_of_a_log_is_read_as_it_was_made(level: int, index: int, width: int) -> None:
    for tile in (Tile(level, index, width), Tile(0, index, width, entries=True)):
        assert Tile.parse(tile.path()) == tile


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
    max_leaves=12,
)


@given(JSON)
def test_every_value_of_the_profile_is_accepted_in_its_canonical_form(value: None) -> None:
    assert holds(PARSERS["canonical JSON"], encode(value))


def test_a_reader_that_crashes_or_changes_what_it_reads_would_be_seen() -> None:
    with pytest.raises(NotWrittenAsReadError):
        holds(Parser(bytes.upper, bytes, ()), b"data")
    with pytest.raises(UnicodeDecodeError):
        holds(Parser(bytes.decode, str.encode, ()), b"\xff")
