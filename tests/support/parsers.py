"""Every reader of bytes that strangers hand in, with what writes them again and examples that hold."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger.canonical import decode_canonical, encode, leaf_hash
from ledger.chain import parse_entry
from ledger.checkpoint import Checkpoint
from ledger.errors import EvidenceRefusedError, InvalidInputError, TimestampNotGrantedError
from ledger.export.signature import BundleStatement, read_bundle_signature
from ledger.merkle import EMPTY_ROOT, root_hash
from ledger.note import Note, Signature, SignatureType, VerifierKey
from ledger.proof import ConsistencyProof, InclusionProof, check_inclusion
from ledger.tiles import Tile, decode_entries, encode_entries
from ledger.timestamp import der, parse_token
from ledger.trust import TrustPolicy, read_checkpoint
from replay.solvency import Inclusion, Leaf, SolvencyProof, check_inclusion_file, customer_claims
from replay.solvency.proofs.records import account_line, leaf_line, read_account_line, read_leaf_line
from tests.support.chains import chain_of
from tests.support.example_token import REPLY
from tests.support.keys import ORIGIN, log_key, signed, witness_key
from tests.support.solvency import small_world

if TYPE_CHECKING:
    from collections.abc import Callable


class Parser(NamedTuple):
    """A reader, the writer that belongs to it, and bytes that the reader accepts."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    examples: tuple[bytes, ...]


class NotWrittenAsReadError(AssertionError):
    """A reader accepted bytes that its writer would not have written."""


def holds(parser: Parser, data: bytes) -> bool:
    """Tell whether a parser accepts bytes; other errors than ours, and values that change, are raised."""
    try:
        value = parser.read(data)
    except (InvalidInputError, EvidenceRefusedError, TimestampNotGrantedError) as error:
        # The message has to be printable too.
        str(error).encode("utf-8", "surrogateescape")
        return False
    written = parser.write(value)
    if written != data:
        raise NotWrittenAsReadError(f"{data!r} was accepted and is written {written!r}")
    return True


def _text(data: bytes) -> str:
    """Text as it comes from a command line, where bytes that are not UTF-8 stand for themselves."""
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


_ENTRIES = tuple(chain_of(5))
_LEAVES = [leaf_hash(entry) for entry in _ENTRIES]
_ROOT = root_hash(_LEAVES)
_SIGNED = signed(5, _ROOT)
# Not one that holds: its bytes have to be the same in every run, and readers do not verify.
_ML_DSA = Signature(ORIGIN, b"\x01\x02\x03\x04", hashlib.shake_256(b"signature").digest(2428))
_COSIGNED = Note.parse(_SIGNED).with_signatures((_ML_DSA,)).encode()
_PATH = (_LEAVES[1], root_hash(_LEAVES[2:4]), _LEAVES[4])
_WORLD = small_world()
_TRUST = _WORLD.policy()
_ML_DSA_KEY = VerifierKey(ORIGIN, SignatureType.ML_DSA_44, hashlib.shake_256(b"key").digest(1312))


def _checked_inclusion(data: bytes) -> bytes:
    check_inclusion(data, _ENTRIES[0], TrustPolicy.of((log_key().verifier,)))
    return data


def _checked_customer(data: bytes) -> bytes:
    check_inclusion_file(data, _TRUST)
    return data


PARSERS: dict[str, Parser] = {
    "note": Parser(
        Note.parse,
        Note.encode,
        (_SIGNED, _COSIGNED, Note("text\n\nmore – ü\n", (_ML_DSA,)).encode()),
    ),
    "key": Parser(
        lambda data: VerifierKey.parse(_text(data)),
        lambda key: _bytes(key.encode()),
        tuple(key.encode().encode() for key in (log_key().verifier, witness_key().verifier, _ML_DSA_KEY)),
    ),
    "checkpoint": Parser(
        lambda data: Checkpoint.parse(_text(data)),
        lambda checkpoint: _bytes(checkpoint.text()),
        tuple(
            each.text().encode()
            for each in (
                Checkpoint(ORIGIN, 5, _ROOT),
                Checkpoint("ö", 0, EMPTY_ROOT, "extension\nlines\n"),
                Checkpoint(ORIGIN, 2**63 - 1, _ROOT),
            )
        ),
    ),
    "signed checkpoint": Parser(read_checkpoint, lambda read: read[0].encode(), (_SIGNED, _COSIGNED)),
    "bundle signature": Parser(
        read_bundle_signature,
        lambda read: Note(read[1].text(), read[0].signatures).encode(),
        (Note(BundleStatement(ORIGIN, _ROOT.hex()).text(), (_ML_DSA,)).encode(),),
    ),
    "inclusion proof": Parser(
        InclusionProof.parse,
        InclusionProof.encode,
        (
            InclusionProof(0, _PATH, _SIGNED).encode(),
            InclusionProof(2**63 - 1, (), b"anything", b"extra data").encode(),
        ),
    ),
    "checked inclusion": Parser(
        _checked_inclusion, lambda data: data, (InclusionProof(0, _PATH, _COSIGNED, b"extra").encode(),)
    ),
    "consistency proof": Parser(
        ConsistencyProof.parse,
        ConsistencyProof.encode,
        (ConsistencyProof(3, _PATH, _SIGNED).encode(), ConsistencyProof(0, (), b"").encode()),
    ),
    "tile path": Parser(
        lambda data: Tile.parse(_text(data)),
        lambda tile: _bytes(tile.path()),
        tuple(
            tile.path().encode()
            for tile in (Tile(0, 0), Tile(63, 1_234_067, 5), Tile(0, 99_999, 255, entries=True))
        ),
    ),
    "timestamp reply": Parser(
        lambda data: (parse_token(data), der.decode(data))[1], lambda element: element.encoded(), (REPLY,)
    ),
    "entry bundle": Parser(decode_entries, encode_entries, (b"", encode_entries(_ENTRIES), bytes(8))),
    "canonical JSON": Parser(decode_canonical, encode, (*_ENTRIES, b'[{"a":[true,false,null]},-1,"\\n"]')),
    "entry": Parser(
        parse_entry,
        lambda entry: encode({"event": entry.event, "link": entry.link._asdict()}),
        _ENTRIES,
    ),
    "customer's inclusion": Parser(
        Inclusion.parse,
        Inclusion.encode,
        tuple(
            world.inclusion(customer, keys=2).encode()
            for world in (_WORLD, small_world(parts=2))
            for customer in ("ada", "dora")
        ),
    ),
    "checked customer's inclusion": Parser(
        _checked_customer, lambda data: data, (_WORLD.inclusion("ada").encode(),)
    ),
    "proof of solvency": Parser(
        SolvencyProof.parse, SolvencyProof.encode, (_WORLD.solvency_proof().encode(),)
    ),
    "line of an account": Parser(
        read_account_line,
        account_line,
        tuple(account_line(each) for each in customer_claims(_WORLD.state)),
    ),
    "line of a leaf": Parser(
        read_leaf_line,
        lambda read: leaf_line(read[0], Leaf(read[1], read[2], read[3], b"")),
        tuple(leaf_line(index, leaf) for index, leaf in enumerate(_WORLD.made.leaves)),
    ),
}
