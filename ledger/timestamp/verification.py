"""Whether a token shows that bytes existed at its time, by roots that the caller trusts.

``rfc3161_client`` builds the chain with OpenSSL, at the token's time. What it leaves open is
decided here, before it is asked:

- which certificate signed: it goes by issuer and serial number alone, which two embedded certificates can
  share; here the signed certificate hash decides (RFC 3161 §2.4.2, RFC 5816);
- trust: it puts intermediates and the authority's certificate into the store of trusted ones, where a
  self-signed one is a root; here only the caller's roots get there;
- algorithms: hashes weaker than SHA-256 and short keys are refused everywhere below the root;
- values that no signature covers, such as the named signature algorithm, have to agree with those that one
  does.

Not checked: revocation, and whether the authority's clock was right.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ledger.clock import format_time
from ledger.errors import InvalidInputError, LedgerError, TimestampInvalidError, TimestampNotGrantedError
from ledger.timestamp import der
from ledger.timestamp.token import HASH_NAMES, TST_INFO, SignedToken, Timestamp, algorithm, read_reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_RSA = "1.2.840.113549.1.1.1"
_RSA_WITH = {
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13",
}
_ECDSA_WITH = {
    "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4",
}
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
_DIRECTORY_NAME = der.context(4)

MIN_RSA_KEY_SIZE_BITS = 2048
MIN_CURVE_SIZE_BITS = 256


@dataclass(frozen=True, slots=True)
class _Named:
    """A certificate's own bytes, and by what a signer names it."""

    encoded: bytes
    issuer: bytes
    serial_number: int


def verify_token(
    reply: bytes,
    message: bytes,
    roots: Sequence[x509.Certificate],
    *,
    intermediates: Sequence[x509.Certificate] = (),
    authority_certificate: x509.Certificate | None = None,
) -> Timestamp:
    """Return the timestamp of a reply that shows that ``message`` existed at its time.

    Args:
        reply: a DER TimeStampResp.
        message: the bytes that were stamped.
        roots: what the caller trusts; nothing that the reply brings along is trusted.
        intermediates: certificates between the authority and a root that the reply does not bring along.
        authority_certificate: the one signer that is wanted; needed where the reply brings no certificate.

    Raises:
        InvalidInputError: the reply is not a TimeStampResp in strict DER, or there are no roots.
        TimestampInvalidError: anything that does not hold, with its reason.
    """
    if not roots:
        raise InvalidInputError("no root certificate is given, and nothing is trusted without one")
    try:
        token = read_reply(reply)
    except TimestampNotGrantedError as error:
        raise TimestampInvalidError("status", error.message) from None
    check_imprint(token.timestamp, message)
    try:
        with _refusing("signer"):
            signer = _verified_signer(token, roots, intermediates, authority_certificate)
            return replace(token.timestamp, authority=signer.subject.rfc4514_string())
    except InvalidInputError as error:
        raise error.within("timestamp reply") from None


def _verified_signer(
    token: SignedToken,
    roots: Sequence[x509.Certificate],
    intermediates: Sequence[x509.Certificate],
    authority_certificate: x509.Certificate | None,
) -> x509.Certificate:
    given = (*intermediates, *((authority_certificate,) if authority_certificate else ()))
    named = _by_name([*token.certificates, *(each.public_bytes(Encoding.DER) for each in given)])
    signer = _signer_certificate(token, named)
    if authority_certificate is not None and signer != authority_certificate:
        raise TimestampInvalidError(
            "signer", f"signed by {signer.subject.rfc4514_string()}, not by the authority that is wanted"
        )
    _check_signature(token, signer)
    with _refusing("purpose"):
        _check_purpose(signer)
    _check_authority_name(token, signer)
    time, first, last = token.timestamp.time, signer.not_valid_before_utc, signer.not_valid_after_utc
    if not first <= time <= last:
        raise TimestampInvalidError(
            "time",
            f"{format_time(time)} is outside the validity of the authority's certificate, "
            f"{format_time(first)} to {format_time(last)}",
        )
    _check_chain(token, signer, named, roots)
    return signer


@contextmanager
def _refusing(reason: str) -> Iterator[None]:
    """Turn whatever a library raises over foreign bytes into our error; it never means that all is well."""
    try:
        yield
    except LedgerError:
        raise
    except BaseException as error:
        # A panic of the library's compiled part comes as a BaseException, of a class that cannot be imported.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise TimestampInvalidError(reason, str(error) or type(error).__name__) from error


def check_imprint(timestamp: Timestamp, message: bytes) -> None:
    """Raise TimestampInvalidError unless the imprint is the hash of ``message``, by SHA-256 or stronger."""
    if timestamp.hash_algorithm not in _HASHES:
        raise TimestampInvalidError(
            "algorithm", f"the imprint is made by {timestamp.hash_algorithm}; SHA-256 is the weakest allowed"
        )
    actual = hashlib.new(timestamp.hash_algorithm, message).digest()
    if actual != timestamp.imprint:
        raise TimestampInvalidError(
            "imprint",
            f"it is of other bytes: imprint {timestamp.imprint.hex()}, "
            f"{timestamp.hash_algorithm} of these {actual.hex()}",
        )


def _by_name(offered: Sequence[bytes]) -> dict[bytes, _Named]:
    """Return certificates by their bytes, with the names as these spell them."""
    found = {}
    for encoded in offered:
        try:
            outer = der.decode(encoded).members()
            members = outer.take(der.SEQUENCE).members()
            members.take_if(der.context(0))  # the version
            serial_number = members.take().integer()
            members.take(der.SEQUENCE)  # the signature algorithm
            found[encoded] = _Named(encoded, members.take(der.SEQUENCE).encoded(), serial_number)
        except InvalidInputError as error:
            raise error.within("certificate") from None
    return found


def _signer_certificate(token: SignedToken, named: dict[bytes, _Named]) -> x509.Certificate:
    """Return the certificate that the attributes name by its hash and the SignerInfo by its number."""
    attributes = token.signer.attributes
    bindings = [
        *_certificate_hashes(attributes.get(_SIGNING_CERTIFICATE), "sha1"),
        *_certificate_hashes(attributes.get(_SIGNING_CERTIFICATE_V2), "sha256"),
    ]
    if not bindings:
        raise TimestampInvalidError("signer", "no signed attribute says which certificate signed")
    matching = [
        each
        for each in named.values()
        if (each.issuer, each.serial_number) == (token.signer.issuer, token.signer.serial_number)
        and all(hashlib.new(name, each.encoded).digest() == wanted for name, wanted in bindings)
    ]
    if len(matching) != 1:
        raise TimestampInvalidError(
            "signer", "the signer's certificate is neither in the reply nor given, or it was changed"
        )
    return x509.load_der_x509_certificate(matching[0].encoded)


def _certificate_hashes(value: der.Element | None, default: str) -> list[tuple[str, bytes]]:
    """Return algorithm and hash of the first ESSCertID, the signer's (RFC 5035 §5, RFC 5816 §2.2.1).

    SHA-1 is what the first form has. It only tells between certificates that a trusted root vouches for, so
    using it would take a second preimage, not a collision.
    """
    if value is None:
        return []
    certificates = value.members().take(der.SEQUENCE)
    first = certificates.members().take(der.SEQUENCE).members()
    named = first.take_if(der.SEQUENCE)
    name = default
    if named is not None:
        if default == "sha1":
            raise named.refused("an algorithm in an ESSCertID of the first version")
        name = HASH_NAMES.get(algorithm(named), "")
        if name not in _HASHES:
            raise TimestampInvalidError("algorithm", "the signer's certificate is named by a weak hash")
    return [(name, first.take(der.OCTET_STRING).content)]


def _check_signature(token: SignedToken, signer: x509.Certificate) -> None:
    """Check what the signature covers (RFC 5652 §5.4, §5.6), and that it is the signer's."""
    attributes, signed = token.signer.attributes, token.signer.signed
    name = HASH_NAMES.get(token.signer.digest_algorithm, token.signer.digest_algorithm)
    if name not in _HASHES:
        raise TimestampInvalidError("algorithm", f"signed over {name}; SHA-256 is the weakest allowed")
    content_type, digest = attributes.get(_CONTENT_TYPE), attributes.get(_MESSAGE_DIGEST)
    if content_type is None or content_type.object_identifier() != TST_INFO:
        raise TimestampInvalidError("signature", "what is signed is not said to be a timestamp")
    wanted = hashlib.new(name, token.content).digest()
    if digest is None or digest.expect(der.OCTET_STRING).content != wanted:
        raise TimestampInvalidError("signature", "the signed hash is not that of the timestamp")
    with _refusing("signature"):
        key = signer.public_key()
        try:
            if isinstance(key, rsa.RSAPublicKey):
                _require_algorithm(token, _RSA, _RSA_WITH[name])
                key.verify(token.signer.signature, signed, padding.PKCS1v15(), _HASHES[name])
            elif isinstance(key, ec.EllipticCurvePublicKey):
                _require_algorithm(token, _ECDSA_WITH[name])
                key.verify(token.signer.signature, signed, ec.ECDSA(_HASHES[name]))
            else:
                raise TimestampInvalidError("algorithm", "a key that is neither RSA nor of an elliptic curve")
        except InvalidSignature:
            raise TimestampInvalidError("signature", "it was not made by the signer's key") from None
    with _refusing("algorithm"):
        if not _is_strong(signer):
            raise TimestampInvalidError(
                "algorithm", "the signer's certificate has a short key or a weak hash"
            )


def _require_algorithm(token: SignedToken, *allowed: str) -> None:
    if token.signer.signature_algorithm not in allowed:
        raise TimestampInvalidError(
            "algorithm",
            f"the signature algorithm {token.signer.signature_algorithm} does not go with key and hash",
        )


def _is_strong(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is signed over SHA-256 or stronger, and its key is long enough."""
    used = certificate.signature_hash_algorithm  # None where the signature scheme has its own
    if used is not None and used.name not in _HASHES:
        return False
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= MIN_RSA_KEY_SIZE_BITS
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.key_size >= MIN_CURVE_SIZE_BITS
    return isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey))


def _check_purpose(signer: x509.Certificate) -> None:
    """Require that the certificate is for timestamping, critically, and for nothing else (RFC 3161 §2.3)."""
    try:
        usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        raise TimestampInvalidError(
            "purpose", "the signer's certificate says nothing of timestamping"
        ) from None
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TimestampInvalidError(
            "purpose", "the signer's certificate is not for timestamping alone, said critically"
        )


def _check_authority_name(token: SignedToken, signer: x509.Certificate) -> None:
    """Require that the name inside the timestamp is one of the certificate's (RFC 3161 §2.4.2)."""
    name = token.authority_name
    if name is None:
        return
    if name.tag == _DIRECTORY_NAME and [part.encoded() for part in name.parts] == [
        signer.subject.public_bytes()
    ]:
        return
    try:
        others = signer.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.public_bytes()
    except x509.ExtensionNotFound:
        others = der.encode(der.SEQUENCE)
    if name not in der.decode(others).parts:
        raise TimestampInvalidError("signer", "the authority's name is not that of its certificate")


def _check_chain(
    token: SignedToken,
    signer: x509.Certificate,
    named: dict[bytes, _Named],
    roots: Sequence[x509.Certificate],
) -> None:
    """Let the library build the chain, from certificates that can mislead it neither on signer nor trust."""
    # Slow to load, and most commands need none of it.
    from rfc3161_client import VerifierBuilder, decode_timestamp_response

    own = signer.public_bytes(Encoding.DER)
    with _refusing("chain"):
        if signer.issuer == signer.subject and signer not in roots:
            raise TimestampInvalidError(
                "chain", "the signer's certificate vouches for itself, and is no root"
            )
        if any(
            (each.issuer, each.serial_number) == (signer.issuer, signer.serial_number) and each != signer
            for each in roots
        ):
            raise TimestampInvalidError("signer", "a root has the issuer and serial number of the signer")
        usable = [own, *(each.encoded for each in named.values() if _may_link(each, own, named[own]))]
        response = decode_timestamp_response(_for_library(token, sorted(usable)))
        verifier = VerifierBuilder(roots=list(dict.fromkeys(roots))).build()
        verifier.verify(response, token.timestamp.imprint)


def _may_link(candidate: _Named, own: bytes, signer: _Named) -> bool:
    """Tell whether a certificate may stand between signer and root: strong, not self-signed, no double."""
    if candidate.encoded == own or candidate.serial_number <= 0:
        return False
    if (candidate.issuer, candidate.serial_number) == (signer.issuer, signer.serial_number):
        return False
    certificate = x509.load_der_x509_certificate(candidate.encoded)
    return certificate.issuer != certificate.subject and _is_strong(certificate)


def _for_library(token: SignedToken, certificates: Sequence[bytes]) -> bytes:
    """Return a granted reply with the same signed bytes and these certificates, which no signature covers.

    The library wants them in the order that DER gives a SET; ``openssl ts -reply -chain`` and several
    authorities send the signer's first.
    """
    content_info = token.tree.parts[1]
    signed_data = content_info.parts[1].parts[0]
    version, digests, encapsulated, signers = (
        part.encoded() for part in signed_data.parts if part.tag != der.context(0)
    )
    rebuilt = der.encode(
        der.SEQUENCE, version, digests, encapsulated, der.encode(der.context(0), *certificates), signers
    )
    granted = der.encode(der.SEQUENCE, der.encode(der.INTEGER, b"\x00"))
    content_type = content_info.parts[0].encoded()
    return der.encode(
        der.SEQUENCE,
        granted,
        der.encode(der.SEQUENCE, content_type, der.encode(der.context(0), rebuilt)),
    )
