"""Timestamps against OpenSSL: it reads our requests, answers them, and verifies what we verify."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.errors import ExitCode, InvalidInputError, TimestampInvalidError, TimestampNotGrantedError
from ledger.timestamp import check_reply, der, load_roots, make_request, parse_token, verify_token
from ledger.timestamp.token import read_reply
from tests.support.timestamp_authority import (
    CONTENT_TYPE,
    CRITICAL_TIMESTAMPING,
    LONG_OVER,
    MESSAGE_DIGEST,
    P224,
    RSA_1024,
    RSA_2048,
    SIGNING_CERTIFICATE_V2,
    Authority,
    Pair,
    make_intermediate,
    make_pair,
    make_root,
    openssl,
    resigned,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MESSAGE = b"venue.example/perpetuals\n3\nq1Bq0A==\n\n\xe2\x80\x94 venue.example/perpetuals AAAA\n"
NO_TIMESTAMPING = "basicConstraints = critical,CA:FALSE"


@dataclass(frozen=True)
class World:
    """A root, an authority below it, and one stamped message."""

    folder: Path
    root: Pair
    authority: Authority
    request: bytes
    reply: bytes
    nameless: bytes  # without the authority's name in it


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("authority")
    root = make_root(folder)
    authority = Authority(folder, make_pair(folder, "Test authority", issuer=root))
    request = make_request(MESSAGE)
    nameless = replace(authority, tsa_name=False).reply(request)
    return World(folder, root, authority, request, authority.reply(request), nameless)


def refusal(reply: bytes, *roots: Pair, message: bytes = MESSAGE) -> TimestampInvalidError:
    with pytest.raises(TimestampInvalidError) as caught:
        verify_token(reply, message, [root.certificate for root in roots])
    assert caught.value.exit_code == ExitCode.INTEGRITY_BROKEN
    return caught.value


def openssl_verify(world: World, reply: bytes, *, succeeds: bool, message: bytes = MESSAGE) -> str:
    (world.folder / "reply.tsr").write_bytes(reply)
    (world.folder / "message").write_bytes(message)
    return openssl(
        *("ts", "-verify", "-in", world.folder / "reply.tsr", "-data", world.folder / "message"),
        *("-CAfile", world.root.certificate_path),
        succeeds=succeeds,
    )


def test_openssl_reads_our_request(world: World, tmp_path: Path) -> None:
    (tmp_path / "query").write_bytes(world.request)
    said = openssl("ts", "-query", "-in", tmp_path / "query", "-text")
    assert "Hash Algorithm: sha256" in said
    assert "Certificate required: yes" in said
    assert "Nonce: 0x" in said
    (tmp_path / "query").write_bytes(make_request(MESSAGE, nonce=False, certificates=False))
    said = openssl("ts", "-query", "-in", tmp_path / "query", "-text")
    assert "Certificate required: no" in said
    assert "Nonce: unspecified" in said


def test_a_reply_is_read_as_openssl_reads_it(world: World) -> None:
    timestamp = check_reply(world.reply, MESSAGE, world.request)
    (world.folder / "reply.tsr").write_bytes(world.reply)
    said = openssl("ts", "-reply", "-in", world.folder / "reply.tsr", "-text")
    assert f"Time stamp: {timestamp.time:%b %e %H:%M:%S}" in said
    assert timestamp.nonce is not None
    digits = f"{timestamp.nonce:X}"
    assert f"Nonce: 0x{digits.zfill(len(digits) + len(digits) % 2)}" in said
    assert f"Serial number: 0x{timestamp.serial_number:02X}" in said
    assert timestamp.accuracy_microseconds == 1_500_100
    assert timestamp.policy == "1.2.3.4.1"
    assert timestamp.hash_algorithm == "sha256"
    assert timestamp.reply == world.reply
    assert timestamp.authority is None  # nothing is verified yet


def test_what_we_verify_openssl_verifies_too(world: World) -> None:
    timestamp = verify_token(world.reply, MESSAGE, [world.root.certificate])
    assert timestamp.authority == "CN=Test authority"
    assert timestamp.time == parse_token(world.reply).time
    assert "Verification: OK" in openssl_verify(world, timestamp.reply, succeeds=True)


def test_a_timestamp_of_other_bytes_is_refused_by_both(world: World) -> None:
    assert refusal(world.reply, world.root, message=MESSAGE + b" ").reason == "imprint"
    openssl_verify(world, world.reply, succeeds=False, message=MESSAGE + b" ")
    with pytest.raises(TimestampInvalidError, match="imprint"):
        check_reply(world.reply, b"other", world.request)


def test_only_the_callers_roots_are_trusted(world: World) -> None:
    other = make_root(world.folder, "Other root")
    assert refusal(world.reply, other).reason == "chain"
    namesake = make_pair(
        world.folder,
        "namesake",
        subject="Test root",
        extensions="basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign",
    )
    assert refusal(world.reply, namesake).reason == "chain"
    assert verify_token(world.reply, MESSAGE, [other.certificate, world.root.certificate])
    with pytest.raises(InvalidInputError, match="no root"):
        verify_token(world.reply, MESSAGE, [])


def test_a_root_that_the_reply_brings_along_is_not_trusted(world: World) -> None:
    own = make_pair(world.folder, "self-made")
    reply = Authority(world.folder, own).reply(world.request)
    assert refusal(reply, world.root).reason == "chain"
    for given in ({"authority_certificate": own.certificate}, {"intermediates": [own.certificate]}):
        with pytest.raises(TimestampInvalidError, match="chain"):
            verify_token(reply, MESSAGE, [world.root.certificate], **given)
    foreign = make_root(world.folder, "Foreign root")
    pair = make_pair(world.folder, "foreign", issuer=foreign)
    reply = Authority(world.folder, pair, chain=(foreign,)).reply(world.request)
    assert len(read_reply(reply).certificates) == 2
    assert refusal(reply, world.root).reason == "chain"
    with pytest.raises(TimestampInvalidError, match="chain"):
        verify_token(reply, MESSAGE, [world.root.certificate], intermediates=[foreign.certificate])


@pytest.mark.parametrize("key", ["ec:P-384", RSA_2048])
@pytest.mark.parametrize(("ess_hash", "digest"), [("sha1", "sha512"), ("sha384", "sha384")])
def test_keys_and_hashes_that_authorities_use(world: World, key: str, ess_hash: str, digest: str) -> None:
    pair = make_pair(world.folder, f"{key}-{ess_hash}".replace(":", "-"), issuer=world.root, key=key)
    reply = Authority(world.folder, pair, ess_hash=ess_hash, digest=digest).reply(world.request)
    assert verify_token(reply, MESSAGE, [world.root.certificate])
    openssl_verify(world, reply, succeeds=True)


def test_an_authority_that_does_not_name_itself(world: World) -> None:
    reply = Authority(world.folder, world.authority.pair, tsa_name=False).reply(world.request)
    assert read_reply(reply).authority_name is None
    assert verify_token(reply, MESSAGE, [world.root.certificate]).authority == "CN=Test authority"


def test_a_chain_holds_whether_it_comes_along_or_is_given(world: World) -> None:
    intermediate = make_intermediate(world.folder, world.root)
    pair = make_pair(world.folder, "below", issuer=intermediate)
    for chain in ((intermediate, world.root), (world.root, intermediate)):
        reply = Authority(world.folder, pair, chain=chain).reply(world.request)
        assert len(read_reply(reply).certificates) == 3
        assert verify_token(reply, MESSAGE, [world.root.certificate])
        openssl_verify(world, reply, succeeds=True)
    alone = Authority(world.folder, pair).reply(world.request)
    assert refusal(alone, world.root).reason == "chain"
    assert verify_token(alone, MESSAGE, [world.root.certificate], intermediates=[intermediate.certificate])


def test_without_certificates_inside_the_signer_has_to_be_given(world: World) -> None:
    request = make_request(MESSAGE, certificates=False)
    reply = world.authority.reply(request)
    assert read_reply(reply).certificates == ()
    assert refusal(reply, world.root).reason == "signer"
    given = world.authority.pair.certificate
    assert verify_token(reply, MESSAGE, [world.root.certificate], authority_certificate=given)


def test_another_authority_than_the_wanted_one_is_refused(world: World) -> None:
    other = make_pair(world.folder, "unwanted", issuer=world.root).certificate
    with pytest.raises(TimestampInvalidError, match="not by the authority that is wanted"):
        verify_token(world.reply, MESSAGE, [world.root.certificate], authority_certificate=other)


@pytest.mark.parametrize(
    ("name", "extensions"),
    [
        ("nothing", NO_TIMESTAMPING),
        ("not critical", "extendedKeyUsage = timeStamping"),
        ("also for servers", "extendedKeyUsage = critical,timeStamping,serverAuth"),
        ("servers", "extendedKeyUsage = critical,serverAuth"),
    ],
)
def test_a_certificate_that_is_not_for_timestamping_alone_is_refused(
    world: World, name: str, extensions: str
) -> None:
    pair = make_pair(world.folder, name.replace(" ", "-"), issuer=world.root, extensions=extensions)
    assert refusal(resigned(world.nameless, pair), world.root).reason == "purpose"


def test_the_forger_of_these_tests_makes_tokens_that_hold(world: World) -> None:
    assert verify_token(resigned(world.nameless, world.authority.pair), MESSAGE, [world.root.certificate])
    openssl_verify(world, resigned(world.nameless, world.authority.pair), succeeds=True)


def test_a_forged_namesake_with_the_right_purpose_does_not_help_a_certificate_without_it(
    world: World,
) -> None:
    server = make_pair(world.folder, "server", issuer=world.root, extensions=NO_TIMESTAMPING)
    namesake = make_pair(
        world.folder, "server-namesake", serial_number=server.certificate.serial_number, subject="Test root"
    )
    double = namesake.certificate
    assert double.issuer == server.certificate.issuer
    for named in (server, namesake):
        reply = resigned(
            world.nameless, server, named=named.certificate, certificates=[server.certificate, double]
        )
        assert refusal(reply, world.root).reason in {"purpose", "signature"}


def test_a_certificate_that_is_no_certification_authority_vouches_for_nobody(world: World) -> None:
    server = make_pair(world.folder, "plain-server", issuer=world.root, extensions=NO_TIMESTAMPING)
    pair = make_pair(world.folder, "vouched-by-server", issuer=server)
    reply = resigned(world.nameless, pair, certificates=[pair.certificate, server.certificate])
    assert refusal(reply, world.root).reason == "chain"


def test_a_token_that_names_no_certificate_or_another_is_refused(world: World) -> None:
    other = make_pair(world.folder, "other", issuer=world.root)
    reply = resigned(world.nameless, world.authority.pair, named=other.certificate)
    assert refusal(reply, world.root).reason == "signer"
    reply = resigned(world.nameless, world.authority.pair, without=SIGNING_CERTIFICATE_V2)
    assert refusal(reply, world.root).reason == "signer"
    openssl_verify(world, reply, succeeds=False)


def test_each_part_that_the_signature_binds_is_refused_by_itself(world: World) -> None:
    signed_data = der.decode(world.reply).parts[1].parts[1].parts[0]
    _, digests, content, _, signers = signed_data.parts
    serial_number = signers.parts[0].parts[1].parts[1]

    def changed_last_byte(element: der.Element) -> bytes:
        at = element.offset + len(element.encoded()) - 1
        return world.reply[:at] + bytes([world.reply[at] ^ 1]) + world.reply[at + 1 :]

    assert refusal(changed_last_byte(serial_number), world.root).reason == "signer"
    assert refusal(changed_last_byte(content), world.root).reason == "signature"
    other_hash = digests.parts[0].parts[0]  # SHA-384 and SHA-512 differ from SHA-256 in the last arc
    at = other_hash.offset + len(other_hash.encoded()) - 1
    with pytest.raises(InvalidInputError, match="different hash algorithms"):
        parse_token(world.reply[:at] + b"\x03" + world.reply[at + 1 :])


def test_openssl_verifies_at_the_time_of_the_timestamp_with_given_intermediates(world: World) -> None:
    intermediate = make_intermediate(world.folder, world.root, "intermediate-without-spaces")
    reply = Authority(world.folder, make_pair(world.folder, "below-it", issuer=intermediate)).reply(
        world.request
    )
    (world.folder / "reply.tsr").write_bytes(reply)
    (world.folder / "message").write_bytes(MESSAGE)
    openssl(
        *("ts", "-verify", "-in", world.folder / "reply.tsr", "-data", world.folder / "message"),
        *("-CAfile", world.root.certificate_path, "-untrusted", intermediate.certificate_path),
        *("-attime", str(calendar.timegm(parse_token(reply).time.utctimetuple()))),
    )


@pytest.mark.parametrize("missing", [CONTENT_TYPE, MESSAGE_DIGEST])
def test_a_token_without_a_needed_attribute_is_refused(world: World, missing: str) -> None:
    reply = resigned(world.nameless, world.authority.pair, without=missing)
    assert refusal(reply, world.root).reason == "signature"


def test_the_name_inside_has_to_be_the_signers(world: World) -> None:
    other = make_pair(world.folder, "misnamed", issuer=world.root)
    assert refusal(resigned(world.reply, other), world.root).reason == "signer"
    same = make_pair(
        world.folder,
        "also-named",
        issuer=world.root,
        extensions=f"{CRITICAL_TIMESTAMPING}\nsubjectAltName = dirName:named\n[named]\nCN = Test authority",
    )
    assert verify_token(resigned(world.reply, same), MESSAGE, [world.root.certificate])


def test_a_time_outside_the_certificates_validity_is_refused(world: World) -> None:
    expired = make_pair(world.folder, "expired", issuer=world.root, validity=LONG_OVER)
    reply = Authority(world.folder, expired).reply(world.request)
    error = refusal(reply, world.root)
    assert error.reason == "time"
    assert "2021-01-01T00:00:00.000000Z" in error.message
    openssl_verify(world, reply, succeeds=False)
    earlier = changed_year(b"2020")
    assert verify_token(resigned(world.nameless, expired, content=earlier), MESSAGE, [world.root.certificate])
    before = resigned(world.nameless, world.authority.pair, content=changed_year(b"2019"))
    assert refusal(before, world.root).reason == "time"


def test_a_root_or_intermediate_that_had_expired_at_that_time_is_refused(world: World) -> None:
    expired_root = make_root(world.folder, "Expired root", validity=LONG_OVER)
    pair = make_pair(world.folder, "under-expired-root", issuer=expired_root)
    assert refusal(resigned(world.nameless, pair), expired_root).reason == "chain"
    earlier = resigned(world.nameless, pair, content=changed_year(b"2020"))
    assert verify_token(earlier, MESSAGE, [expired_root.certificate])


def changed_year(year: bytes) -> Callable[[bytes], bytes]:
    """Return a change of the year in a TSTInfo's genTime."""

    def change(content: bytes) -> bytes:
        at = der.decode(content).parts[4].offset + 2  # behind tag and length
        return content[:at] + year + content[at + 4 :]

    return change


def test_weak_hashes_are_refused_wherever_they_stand(world: World) -> None:
    folder = world.folder
    (folder / "message").write_bytes(MESSAGE)
    openssl("ts", "-query", "-data", folder / "message", "-sha1", "-cert", "-out", folder / "sha1.tsq")
    request = (folder / "sha1.tsq").read_bytes()
    reply = world.authority.reply(request)
    openssl_verify(world, reply, succeeds=True)
    error = refusal(reply, world.root)
    assert (error.reason, "sha1" in error.problem) == ("algorithm", True)
    with pytest.raises(TimestampInvalidError, match="sha1"):
        check_reply(reply, MESSAGE, request)
    signed = Authority(folder, world.authority.pair, digest="sha1").reply(world.request)
    assert refusal(signed, world.root).reason == "algorithm"


@pytest.mark.parametrize("name", ["sha384", "sha512"])
def test_stronger_imprints_of_other_askers_hold(world: World, name: str) -> None:
    (world.folder / "message").write_bytes(MESSAGE)
    query = world.folder / f"{name}.tsq"
    openssl("ts", "-query", "-data", world.folder / "message", f"-{name}", "-cert", "-out", query)
    reply = world.authority.reply(query.read_bytes())
    assert check_reply(reply, MESSAGE, query.read_bytes()).hash_algorithm == name
    assert verify_token(reply, MESSAGE, [world.root.certificate]).hash_algorithm == name


@pytest.mark.parametrize(
    ("key", "digest"), [(RSA_1024, "sha256"), (P224, "sha256"), (RSA_2048, "sha1"), ("ec:P-256", "sha1")]
)
def test_short_keys_and_weakly_signed_certificates_are_refused(world: World, key: str, digest: str) -> None:
    name = f"weak-{key}-{digest}".replace(":", "-")
    pair = make_pair(world.folder, name, issuer=world.root, key=key, digest=digest)
    reply = Authority(world.folder, pair).reply(world.request)
    assert refusal(reply, world.root).reason == "algorithm"
    weak = make_intermediate(world.folder, world.root, f"{name}-issuer", digest=digest)
    pair = make_pair(world.folder, f"{name}-below", issuer=weak)
    reply = Authority(world.folder, pair, chain=(weak, world.root)).reply(world.request)
    if digest == "sha1":
        assert refusal(reply, world.root).reason == "chain"
    else:
        assert verify_token(reply, MESSAGE, [world.root.certificate])


def test_a_certificate_that_is_signed_in_an_unknown_way_is_refused(world: World) -> None:
    pair = make_pair(world.folder, "unknown-signature", issuer=world.root)
    encoded = pair.certificate.public_bytes(Encoding.DER)
    known, unknown = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d04037f")
    assert encoded.count(known) == 2
    changed = x509.load_der_x509_certificate(encoded.replace(known, unknown))
    pair.certificate_path.write_bytes(changed.public_bytes(Encoding.PEM))
    assert refusal(resigned(world.nameless, pair), world.root).reason == "algorithm"


def test_a_reply_to_another_request_is_refused(world: World) -> None:
    with pytest.raises(TimestampInvalidError, match="another request") as caught:
        check_reply(world.reply, MESSAGE, make_request(MESSAGE))
    assert caught.value.reason == "nonce"
    with pytest.raises(TimestampInvalidError, match="another request"):
        check_reply(world.reply, MESSAGE, make_request(MESSAGE, nonce=False))
    with pytest.raises(TimestampInvalidError, match="another hash"):
        check_reply(world.reply, MESSAGE, make_request(b"other"))
    with pytest.raises(InvalidInputError, match="timestamp request"):
        check_reply(world.reply, MESSAGE, world.request + b"\x00")


def test_a_refusal_says_which_status_and_why(world: World) -> None:
    at = world.request.index(b"\x60\x86\x48\x01\x65\x03\x04\x02\x01")
    unknown = world.request[: at + 8] + b"\x0a" + world.request[at + 9 :]  # a hash that it does not offer
    reply = world.authority.reply(unknown)
    with pytest.raises(TimestampNotGrantedError, match="status rejection") as caught:
        parse_token(reply)
    assert (caught.value.status, caught.value.failures) == ("rejection", ("bad_algorithm",))
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert refusal(reply, world.root).reason == "status"


def test_roots_are_read_from_pem_and_der(world: World, tmp_path: Path) -> None:
    pem = world.root.certificate_path.read_bytes()
    (tmp_path / "one.der").write_bytes(world.root.certificate.public_bytes(Encoding.DER))
    (tmp_path / "two.pem").write_bytes(
        b"a remark\n" + pem + world.authority.pair.certificate_path.read_bytes()
    )
    assert load_roots(tmp_path / "one.der") == [world.root.certificate]
    assert load_roots(tmp_path / "two.pem") == [world.root.certificate, world.authority.pair.certificate]


def test_a_root_file_that_is_none_says_where(world: World, tmp_path: Path) -> None:
    pem = world.root.certificate_path.read_bytes()
    cases = {
        "cut": (pem[:-30], "without its end"),
        "key": (pem + world.root.key_path.read_bytes(), "PEM block 2: a PRIVATE KEY where a certificate"),
        "broken": (pem + pem.replace(b"MII", b"AII", 1), "PEM block 2: not a certificate"),
        "garbage": (b"\x30\x03abc", "not a certificate, neither PEM nor DER"),
        "empty": (b"", "not a certificate, neither PEM nor DER"),
    }
    for name, (content, problem) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInputError, match=problem) as caught:
            load_roots(tmp_path / name)
        assert caught.value.place[0] == str(tmp_path / name)
    with pytest.raises(InvalidInputError, match="No such file"):
        load_roots(tmp_path / "missing")
