"""Reading a timestamp authority's reply (RFC 3161 §2.4.2): what it claims, before anything is verified."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ledger.errors import InvalidInputError, TimestampNotGrantedError
from ledger.timestamp import der

MAX_REPLY_SIZE_BYTES = 65_536  # a reply with a chain of certificates has about 6,000

STATUS_NAMES = (
    "granted",
    "granted_with_mods",
    "rejection",
    "waiting",
    "revocation_warning",
    "revocation_notification",
)
FAILURE_NAMES = {
    0: "bad_algorithm",
    2: "bad_request",
    5: "bad_data_format",
    14: "time_not_available",
    15: "unaccepted_policy",
    16: "unaccepted_extension",
    17: "additional_information_not_available",
    25: "system_failure",
}
HASH_NAMES = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"

_MICROSECONDS_A_SECOND = 1_000_000
_MICROSECONDS_A_MILLISECOND = 1_000


@dataclass(frozen=True, slots=True)
class Timestamp:
    """What a reply says. From ``parse_token`` these are claims; from ``verify_token`` they are verified.

    Attributes:
        reply: the DER TimeStampResp, verbatim; this is what is stored.
        time: when the authority says it signed, in UTC.
        accuracy_microseconds: the deviation it allows itself, to both sides, where it says so.
        policy: object identifier of the policy it worked by.
        serial_number: the token's number, unique for the authority.
        hash_algorithm: ``sha256``, ``sha384`` or ``sha512`` (an object identifier where it is another).
        imprint: the hash that was stamped.
        nonce: the request's, where it had one.
        authority: subject of the signer's certificate (RFC 4514), where that is at hand.
    """

    reply: bytes = field(repr=False)
    time: datetime
    accuracy_microseconds: int | None
    policy: str
    serial_number: int
    hash_algorithm: str
    imprint: bytes
    nonce: int | None
    authority: str | None

    @property
    def latest(self) -> datetime:
        """The end of the interval that time and accuracy span: the bytes existed before it."""
        try:
            return self.time + timedelta(microseconds=self.accuracy_microseconds or 0)
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Signer:
    """The one SignerInfo of a token (RFC 5652 §5.3).

    Attributes:
        issuer: DER of the name of the issuer of the signer's certificate.
        serial_number: that certificate's number.
        digest_algorithm: object identifier of the hash that is signed.
        attributes: the one value of every signed attribute, by object identifier.
        signed: the bytes that the signature is over.
        signature_algorithm: object identifier of what the signature is said to be.
        signature: the signature.
    """

    issuer: bytes
    serial_number: int
    digest_algorithm: str
    attributes: dict[str, der.Element]
    signed: bytes
    signature_algorithm: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A reply taken apart.

    Attributes:
        timestamp: what it claims.
        tree: the whole reply.
        content: the TSTInfo that is signed.
        authority_name: DER of the GeneralName that TSTInfo gives the authority, if it does.
        certificates: DER of the certificates that came along; no signature covers them.
        signer: who signed, and how.
    """

    timestamp: Timestamp
    tree: der.Element
    content: bytes
    authority_name: der.Element | None
    certificates: tuple[bytes, ...]
    signer: Signer


def parse_token(reply: bytes) -> Timestamp:
    """Read a DER TimeStampResp, as ``openssl ts -reply`` and authorities answer it. Nothing is verified.

    Raises:
        InvalidInputError: not a TimeStampResp in strict DER, or with parts that no signature covers and that
            tokens do not need (revocation lists, unsigned attributes).
        TimestampNotGrantedError: the authority gave a status other than ``granted``.
    """
    return read_reply(reply).timestamp


def read_reply(reply: bytes) -> SignedToken:
    """Take a reply apart; as :func:`parse_token`."""
    if len(reply) > MAX_REPLY_SIZE_BYTES:
        raise InvalidInputError(f"a timestamp reply of more than {MAX_REPLY_SIZE_BYTES} bytes")
    try:
        return _token(reply)
    except InvalidInputError as error:
        raise error.within("timestamp reply") from None


def _token(reply: bytes) -> SignedToken:
    tree = der.decode(reply)
    response = tree.members()
    _require_granted(response.take())
    content_info = response.take(der.SEQUENCE).members()
    response.end()
    _fixed(content_info.take(), SIGNED_DATA)
    explicit = content_info.take(der.context(0)).members(der.context(0))
    content_info.end()
    signed_data = explicit.take(der.SEQUENCE).members()
    explicit.end()
    require_version(signed_data.take(), 3)  # RFC 5652 §5.1: the content is not id-data
    digests = signed_data.take(der.SET).members(der.SET)
    digest_algorithm = algorithm(digests.take())
    digests.end()
    content = _content(signed_data.take(der.SEQUENCE))
    certificates = signed_data.take_if(der.context(0))
    if (lists := signed_data.take_if(der.context(1))) is not None:
        raise lists.refused("revocation lists inside the token, which no signature of it covers")
    signers = signed_data.take(der.SET).members(der.SET)
    signed_data.end()
    signer = _signer(signers.take(der.SEQUENCE))
    signers.end()
    if signer.digest_algorithm != digest_algorithm:
        raise tree.refused("the token and its signer name different hash algorithms")
    timestamp, authority_name = _tst_info(reply, content)
    return SignedToken(
        timestamp=timestamp,
        tree=tree,
        content=content,
        authority_name=authority_name,
        certificates=tuple(part.expect(der.SEQUENCE).encoded() for part in certificates.parts)
        if certificates
        else (),
        signer=signer,
    )


def _require_granted(status_info: der.Element) -> None:
    members = status_info.members()
    status = members.take().integer()
    texts = members.take_if(der.SEQUENCE)
    failures = members.take_if(der.BIT_STRING)
    members.end()
    said = tuple(part.text() for part in texts.parts) if texts else ()
    bits = _bits(failures) if failures else ()
    if status != 0:
        name = STATUS_NAMES[status] if 0 <= status < len(STATUS_NAMES) else str(status)
        raise TimestampNotGrantedError(
            name, tuple(FAILURE_NAMES.get(bit, f"bit {bit}") for bit in bits), said
        )
    if failures:
        raise failures.refused("a failure beside the status granted")


def _bits(element: der.Element) -> tuple[int, ...]:
    """Return the numbers of the bits that are set in a BIT STRING (X.690 §8.6)."""
    if not element.content or element.content[0] > 7 or (element.content[0] and len(element.content) == 1):
        raise element.refused("a BIT STRING with a wrong count of unused bits")
    unused, octets = element.content[0], element.content[1:]
    if octets and octets[-1] & ((1 << unused) - 1):
        raise element.refused("a BIT STRING whose unused bits are not zero")
    return tuple(
        8 * index + bit for index, octet in enumerate(octets) for bit in range(8) if octet & (0x80 >> bit)
    )


def require_version(element: der.Element, wanted: int) -> None:
    """Raise InvalidInputError unless an INTEGER has the one value that is known here."""
    if element.integer() != wanted:
        raise element.refused(f"a version other than {wanted}")


def _fixed(element: der.Element, wanted: str) -> None:
    if (found := element.object_identifier()) != wanted:
        raise element.refused(f"object identifier {found} where {wanted} belongs")


def algorithm(element: der.Element) -> str:
    """Return the object identifier of an AlgorithmIdentifier that has no parameters, or NULL for them."""
    members = element.members()
    identifier = members.take().object_identifier()
    null = members.take_if(der.NULL)
    if null is not None and null.content:
        raise null.refused("a NULL that is not empty")
    members.end()
    return identifier


def _content(encapsulated: der.Element) -> bytes:
    members = encapsulated.members()
    _fixed(members.take(), TST_INFO)
    explicit = members.take(der.context(0)).members(der.context(0))
    members.end()
    content = explicit.take(der.OCTET_STRING).content
    explicit.end()
    return content


def _signer(element: der.Element) -> Signer:
    members = element.members()
    require_version(members.take(), 1)  # named by issuer and serial number
    named = members.take(der.SEQUENCE).members()
    issuer, serial_number = named.take(der.SEQUENCE).encoded(), named.take().integer()
    named.end()
    digest_algorithm = algorithm(members.take())
    attributes = members.take(der.context(0))  # RFC 3161 §2.4.2 asks for signed attributes
    signature_algorithm = algorithm(members.take())
    signature = members.take(der.OCTET_STRING).content
    if (unsigned := members.take_if(der.context(1))) is not None:
        raise unsigned.refused("attributes that no signature covers")
    members.end()
    return Signer(
        issuer=issuer,
        serial_number=serial_number,
        digest_algorithm=digest_algorithm,
        attributes=_attributes(attributes),
        # They are signed with the tag of a SET, which they do not carry in place (RFC 5652 §5.4).
        signed=der.encode(der.SET, attributes.content),
        signature_algorithm=signature_algorithm,
        signature=signature,
    )


def _attributes(signed_attributes: der.Element) -> dict[str, der.Element]:
    found: dict[str, der.Element] = {}
    for attribute in signed_attributes.parts:
        members = attribute.members()
        kind = members.take().object_identifier()
        values = members.take(der.SET).parts
        members.end()
        if kind in found or len(values) != 1:
            raise attribute.refused(f"the signed attribute {kind} does not stand once, with one value")
        found[kind] = values[0]
    return found


def _tst_info(reply: bytes, content: bytes) -> tuple[Timestamp, der.Element | None]:
    try:
        members = der.decode(content).members()
        require_version(members.take(), 1)
        policy = members.take().object_identifier()
        hash_algorithm, imprint = message_imprint(members.take())
        serial_number = members.take().integer()
        time = members.take().time()
        accuracy = members.take_if(der.SEQUENCE)
        if (ordering := members.take_if(der.BOOLEAN)) is not None:
            ordering.boolean()
        nonce = members.take_if(der.INTEGER)
        name = members.take_if(der.context(0))
        if (extensions := members.take_if(der.context(1))) is not None:
            _refuse_critical(extensions)
        members.end()
        timestamp = Timestamp(
            reply=reply,
            time=time,
            accuracy_microseconds=_accuracy_microseconds(accuracy) if accuracy else None,
            policy=policy,
            serial_number=serial_number,
            hash_algorithm=hash_algorithm,
            imprint=imprint,
            nonce=nonce.integer() if nonce else None,
            authority=None,
        )
        return timestamp, _only(name) if name else None
    except InvalidInputError as error:
        raise error.within("TSTInfo") from None


def message_imprint(element: der.Element) -> tuple[str, bytes]:
    """Return the hash algorithm's name and the hash of a MessageImprint (RFC 3161 §2.4.1)."""
    members = element.members()
    identifier = algorithm(members.take())
    imprint = members.take(der.OCTET_STRING).content
    members.end()
    return HASH_NAMES.get(identifier, identifier), imprint


def _only(element: der.Element) -> der.Element:
    if len(element.parts) != 1:
        raise element.refused("one value belongs here")
    return element.parts[0]


def _refuse_critical(extensions: der.Element) -> None:
    """Refuse critical extensions, none of which is known here (RFC 5280 §4.2)."""
    for extension in extensions.parts:
        members = extension.members()
        identifier = members.take().object_identifier()
        if (critical := members.take_if(der.BOOLEAN)) is not None:
            critical.boolean()
            raise critical.refused(f"the critical extension {identifier}, which is not known here")
        members.take(der.OCTET_STRING)
        members.end()


def _accuracy_microseconds(element: der.Element) -> int:
    members = element.members()
    seconds = members.take_if(der.INTEGER)
    total = seconds.integer() * _MICROSECONDS_A_SECOND if seconds else 0
    for number, unit in ((0, _MICROSECONDS_A_MILLISECOND), (1, 1)):
        if (part := members.take_if(der.context(number, constructed=False))) is not None:
            value = der.Element(der.INTEGER, part.content, offset=part.offset).integer()
            if not 1 <= value <= 999:
                raise part.refused("an accuracy outside 1 to 999")
            total += value * unit
    members.end()
    if total < 0:
        raise element.refused("an accuracy below zero")
    return total
