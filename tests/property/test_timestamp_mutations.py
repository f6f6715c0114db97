"""Every changed byte of a timestamp is refused, apart from those that are known to say nothing."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InvalidInputError, LedgerError, TimestampInvalidError, TimestampNotGrantedError
from ledger.timestamp import der, make_request, parse_token, verify_token
from tests.support.timestamp_authority import (
    P256,
    RSA_2048,
    Authority,
    make_intermediate,
    make_pair,
    make_root,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.x509 import Certificate

MESSAGE = b"a signed checkpoint"
MUTATIONS = 3000
UNREADABLE = (InvalidInputError, TimestampNotGrantedError)


@dataclass(frozen=True)
class Stamped:
    reply: bytes
    roots: list[Certificate]

    def outcome(self, reply: bytes) -> str:
        """Return what verification says of another reply."""
        try:
            verify_token(reply, MESSAGE, self.roots)
        except InvalidInputError:
            return "unreadable"
        except TimestampInvalidError as error:
            return error.reason
        return "accepted"


def stamp(folder: Path, key: str) -> Stamped:
    root = make_root(folder)
    reply = Authority(folder, make_pair(folder, "signer", issuer=root, key=key)).reply(make_request(MESSAGE))
    stamped = Stamped(reply, [root.certificate])
    assert stamped.outcome(reply) == "accepted"
    return stamped


@pytest.fixture(scope="module", params=[P256, RSA_2048])
def stamped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stamped:
    return stamp(tmp_path_factory.mktemp("authority"), request.param)


def regions(reply: bytes) -> dict[str, range]:
    """Return where the parts of a reply stand; smaller parts come first."""
    tree = der.decode(reply)
    signed_data = tree.parts[1].parts[1].parts[0]
    version, digests, content, certificates, signers = signed_data.parts
    fields = signers.parts[0].parts
    names = ("version", "signer", "digest algorithm", "attributes", "signature algorithm", "signature")
    found = {
        "status": tree.parts[0],
        "version of the content": version,
        "digest algorithms": digests,
        "content": content,
        "certificates": certificates,
        **{f"signer info: {name}": element for name, element in zip(names, fields, strict=True)},
        "frame": tree,
    }
    return {
        name: range(element.offset, element.offset + len(element.encoded()))
        for name, element in found.items()
    }


def region_of(place: int, places: dict[str, range]) -> str:
    return next(name for name, where in places.items() if place in where)


def says_the_same(reply: bytes, changed: bytes) -> bool:
    """Tell whether the two differ only in how an RSA signature is named (RFC 5754 §3.2 has two names)."""
    names = [bytes.fromhex(f"06092a864886f70d0101{last}") for last in ("01", "0b")]
    return any(
        reply.rfind(one) == changed.rfind(other) >= 0
        and reply.rpartition(one)[::2] == changed.rpartition(other)[::2]
        for one, other in (names, names[::-1])
    )


def test_no_changed_byte_is_accepted_and_no_part_is_left_out(stamped: Stamped) -> None:
    source = random.Random(3161)
    reply, places = stamped.reply, regions(stamped.reply)
    tried, accepted = Counter[str](), Counter[str]()
    for _ in range(MUTATIONS):
        place = source.randrange(len(reply))
        changed = bytearray(reply)
        changed[place] ^= source.randrange(1, 256)
        region = region_of(place, places)
        tried[region] += 1
        if stamped.outcome(bytes(changed)) == "accepted" and not says_the_same(reply, bytes(changed)):
            accepted[region] += 1
    assert set(tried) == set(places), tried
    assert not accepted, (accepted, tried)


def test_every_bit_outside_certificates_content_and_signature(stamped: Stamped) -> None:
    reply, places = stamped.reply, regions(stamped.reply)
    large = {"certificates", "content", "signer info: signature", "signer info: attributes"}
    accepted = []
    for place in range(len(reply)):
        if region_of(place, places) not in large:
            for bit in range(8):
                changed = bytearray(reply)
                changed[place] ^= 1 << bit
                if stamped.outcome(bytes(changed)) == "accepted":
                    accepted.append((place, bit, region_of(place, places)))
    assert accepted == []


def test_the_name_of_an_rsa_signature_is_the_one_thing_that_can_change(tmp_path: Path) -> None:
    stamped = stamp(tmp_path, RSA_2048)
    plain, with_hash = (bytes.fromhex(f"06092a864886f70d0101{last}") for last in ("01", "0b"))
    place = stamped.reply.rfind(plain)
    assert place in regions(stamped.reply)["signer info: signature algorithm"]
    changed = stamped.reply[:place] + with_hash + stamped.reply[place + len(plain) :]
    assert says_the_same(stamped.reply, changed)
    assert stamped.outcome(changed) == "accepted"


def test_a_lost_or_added_byte_is_refused(stamped: Stamped) -> None:
    source = random.Random(5816)
    for _ in range(300):
        place = source.randrange(len(stamped.reply))
        assert stamped.outcome(stamped.reply[:place] + stamped.reply[place + 1 :]) == "unreadable"
        added = bytes([source.randrange(256)])
        assert stamped.outcome(stamped.reply[:place] + added + stamped.reply[place:]) == "unreadable"


def test_a_reply_that_is_cut_anywhere_or_goes_on_is_refused(stamped: Stamped) -> None:
    for length in range(len(stamped.reply)):
        assert stamped.outcome(stamped.reply[:length]) == "unreadable"
    assert stamped.outcome(stamped.reply + b"\x00") == "unreadable"
    assert stamped.outcome(stamped.reply * 2) == "unreadable"


def test_a_changed_byte_of_a_chain_that_comes_along_never_ends_in_a_crash(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("authority")
    root = make_root(folder)
    intermediate = make_intermediate(folder, root)
    authority = Authority(
        folder, make_pair(folder, "signer", issuer=intermediate), chain=(intermediate, root)
    )
    stamped = Stamped(authority.reply(make_request(MESSAGE)), [root.certificate])
    source, outcomes = random.Random(5280), Counter[str]()
    places = regions(stamped.reply)
    own_root = stamped.reply.find(root.certificate.public_bytes(Encoding.DER))
    brought = range(own_root, own_root + len(root.certificate.public_bytes(Encoding.DER)))
    for _ in range(1500):
        place = source.choice(places["certificates"])
        changed = bytearray(stamped.reply)
        changed[place] ^= source.randrange(1, 256)
        outcome = stamped.outcome(bytes(changed))
        outcomes[outcome] += 1
        # The reply's own copy of the root is not used, so nothing depends on it.
        assert outcome != "accepted" or place in brought
    assert outcomes["accepted"] > 0
    assert outcomes["chain"] > 0, outcomes


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_and_given_back_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidInputError):
        assert der.decode(data).encoded() == data
    with contextlib.suppress(*UNREADABLE):
        assert parse_token(data).reply == data


def elements() -> st.SearchStrategy[bytes]:
    tags = st.sampled_from([0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x18, 0x80])
    leaves = st.builds(der.encode, tags, st.binary(max_size=12))
    return st.recursive(
        leaves,
        lambda inner: st.builds(
            lambda tag, parts: der.encode(tag, *parts),
            st.sampled_from([0x30, 0x31, 0xA0, 0xA1]),
            st.lists(inner, max_size=6),
        ),
        max_leaves=25,
    )


@settings(deadline=None)
@given(elements())
def test_any_tree_is_read_and_given_back_and_as_a_reply_refused(data: bytes) -> None:
    assert der.decode(data).encoded() == data
    with pytest.raises(UNREADABLE):
        parse_token(data)


@settings(deadline=None)
@given(data=st.data())
def test_grafted_parts_are_a_verdict_or_an_error_and_what_is_accepted_is_given_back(
    stamped: Stamped, data: st.DataObject
) -> None:
    """Put any tree in the place of any value of a genuine reply, with all lengths right again."""
    tree = der.decode(stamped.reply)

    def grafted(element: der.Element) -> bytes:
        if not element.parts or data.draw(st.integers(0, 5)) == 0:
            return data.draw(elements())
        at = data.draw(st.integers(0, len(element.parts) - 1))
        return der.encode(
            element.tag,
            *(grafted(part) if at == number else part.encoded() for number, part in enumerate(element.parts)),
        )

    changed = grafted(tree)
    assert stamped.outcome(changed) != "accepted" or changed == stamped.reply
    try:
        assert parse_token(changed).reply == changed == der.decode(changed).encoded()
    except LedgerError as error:
        assert isinstance(error, UNREADABLE)  # noqa: PT017 (which of the errors it is)
