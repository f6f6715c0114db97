"""The bytes of proofs of solvency: whatever is written is read back, and has one form."""

from __future__ import annotations

import string
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.canonical import decode_canonical, encode
from ledger.errors import EvidenceRefusedError
from replay.solvency import Asset, Header, Inclusion, Leaf, Node, PlacedLeaf, ProofFormError
from replay.solvency.proofs.inclusion import decode_path, encode_path
from replay.solvency.proofs.sum_tree import SUM_LIMIT, pack, unpack

_few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
_names = st.text(string.ascii_letters + string.digits + "._:/-", min_size=1, max_size=12)
_hashes = st.binary(min_size=32, max_size=32)
_sums = st.one_of(
    st.integers(0, 300),
    st.integers(0, 127).map(lambda bits: 1 << bits),
    st.integers(0, 128).map(lambda bits: (1 << bits) - 1),
    st.integers(0, 2**128 - 1),
)


@st.composite
def headers(draw: st.DrawFn, *, depth: int | None = None) -> Header:
    """Any header that has a form."""
    assets = sorted(draw(st.sets(_names, max_size=5)))
    return Header(
        as_of_sequence=draw(st.integers(0, 2**53 - 1)),
        assets=tuple(Asset(name, draw(st.integers(0, 18))) for name in assets),
        depth=draw(st.integers(0, 40)) if depth is None else depth,
        maximum_age_seconds=draw(st.decimals(0, 10**9, places=draw(st.integers(0, 6)))),
        origin=draw(_names),
        parts=draw(st.integers(1, 16 if depth is None else 3)),
        projection=draw(_names),
        projection_version=draw(st.integers(0, 2**53 - 1)),
        time=draw(st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))),
        undetermined=tuple(sorted(draw(st.sets(_names, max_size=3)))),
    )


@st.composite
def paths(draw: st.DrawFn, *, depth: int, assets: int) -> tuple[Node, ...]:
    return tuple(Node(draw(_hashes), tuple(draw(_sums) for _ in range(assets))) for _ in range(depth))


@given(headers())
def test_a_header_is_read_as_it_was_written(header: Header) -> None:
    value = decode_canonical(encode(header.value()))
    assert Header.parse(value) == header
    assert Header.parse(value).value() == header.value()


@given(headers(), headers(), _hashes)
def test_two_headers_over_one_tree_have_one_root_only_if_they_are_the_same(
    one: Header, other: Header, root_hash: bytes
) -> None:
    root = Node(root_hash, (1,))
    assert (one.liabilities_root(root) == other.liabilities_root(root)) == (one.value() == other.value())


@given(st.integers(0, 6), st.integers(0, 7), st.data())
def test_a_path_is_read_as_it_was_written(depth: int, assets: int, data: st.DataObject) -> None:
    path = data.draw(paths(depth=depth, assets=assets))
    assert decode_path(encode_path(path), depth=depth, assets=assets) == path


@given(st.integers(1, 3), st.integers(0, 5), st.data())
def test_a_path_has_one_form(depth: int, assets: int, data: st.DataObject) -> None:
    """Other bytes are no path, or another one."""
    written = bytearray(encode_path(data.draw(paths(depth=depth, assets=assets))))
    place = data.draw(st.integers(0, len(written) - 1))
    match data.draw(st.sampled_from(["change", "insert", "delete", "append"])):
        case "change":
            written[place] ^= data.draw(st.integers(1, 255))
        case "insert":
            written.insert(place, data.draw(st.integers(0, 255)))
        case "delete":
            del written[place]
        case _:
            written += data.draw(st.binary(min_size=1, max_size=40))
    with suppress(ProofFormError):
        assert encode_path(decode_path(bytes(written), depth=depth, assets=assets)) == written


@given(st.integers(0, 6), st.integers(0, 5), st.binary(max_size=200))
def test_any_bytes_are_a_path_in_its_one_form_or_refused(depth: int, assets: int, content: bytes) -> None:
    with suppress(ProofFormError):
        assert encode_path(decode_path(content, depth=depth, assets=assets)) == content


@st.composite
def inclusions(draw: st.DrawFn) -> Inclusion:
    """Any file that has a form, whatever it says."""
    depth = draw(st.integers(2, 4))
    header = draw(headers(depth=depth))
    customer = draw(_names)
    limit = min(SUM_LIMIT, 10**38) - 1  # what an amount of 38 digits can say
    places = draw(
        st.lists(st.integers(0, 2**depth - 1), min_size=header.parts, max_size=header.parts, unique=True)
    )
    leaves = tuple(
        PlacedLeaf(
            place,
            Leaf(customer, part, draw(_hashes), pack(draw(st.integers(0, limit)) for _ in header.assets)),
            draw(paths(depth=depth, assets=len(header.assets))),
        )
        for part, place in enumerate(places)
    )
    return Inclusion(customer, header, leaves, draw(st.text()).encode(), b"any text\n\xe2\x80\x94 is read\n")


@given(inclusions())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_an_inclusion_file_is_read_as_it_was_written(inclusion: Inclusion) -> None:
    written = inclusion.encode()
    assert Inclusion.parse(written) == inclusion
    assert Inclusion.parse(written).encode() == written


@given(inclusions(), st.data())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_an_inclusion_file_has_one_form(inclusion: Inclusion, data: st.DataObject) -> None:
    written = bytearray(inclusion.encode())
    place = data.draw(st.integers(0, len(written) - 1))
    written[place] ^= data.draw(st.integers(1, 255))
    with suppress(EvidenceRefusedError):
        assert Inclusion.parse(bytes(written)).encode() == written


@given(st.lists(st.integers(0, SUM_LIMIT - 1), max_size=6))
def test_sums_are_unpacked_as_they_were_packed(sums: list[int]) -> None:
    assert unpack(pack(sums)) == tuple(sums)
