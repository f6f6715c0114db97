"""Where the parts of a timestamp reply stand (docs/explanation/timestamps.md)."""

from __future__ import annotations

from ledger.timestamp import der

_INFO = ("version", "policy", "imprint", "serial number", "time")
_ATTRIBUTES = {
    "1.2.840.113549.1.9.3": "content type",
    "1.2.840.113549.1.9.4": "message digest",
    "1.2.840.113549.1.9.5": "signing time",
    "1.2.840.113549.1.9.16.2.12": "signing certificate",
    "1.2.840.113549.1.9.16.2.47": "signing certificate v2",
}


def token_regions(reply: bytes) -> dict[str, range]:
    """Return the ranges of the contents of all parts, the smallest first; the frame around them is last."""
    tree = der.decode(reply)
    signed_data = tree.parts[1].parts[1].parts[0]
    version, digests, encapsulated, certificates, signers = signed_data.parts
    signer_version, named, digest, attributes, algorithm, signature = signers.parts[0].parts
    found = {
        "status": tree.parts[0].parts[0],
        "content type of the message": tree.parts[1].parts[0],
        "version of the content": version,
        "hash algorithm of the content": digests,
        "content type of the timestamp": encapsulated.parts[0],
        "signer's certificate": certificates.parts[0],
        "version of the signer": signer_version,
        "issuer of the signer": named.parts[0],
        "serial number of the signer": named.parts[1],
        "hash algorithm of the signer": digest,
        "signature algorithm": algorithm,
        "signature": signature,
    }
    for attribute in attributes.parts:
        name = _ATTRIBUTES[attribute.parts[0].object_identifier()]
        found[f"signed attribute: {name}"] = attribute.parts[1]
    ranges = {name: _contents(element) for name, element in found.items()}
    info = encapsulated.parts[1].parts[0]
    start = _contents(info).start
    inner = der.decode(info.content).parts
    for name, part in (*zip(_INFO, inner, strict=False), *_optional(inner)):
        inside = _contents(part)
        ranges[f"timestamp: {name}"] = range(start + inside.start, start + inside.stop)
    return {**ranges, "frame": range(len(reply))}


def region_at(place: int, regions: dict[str, range]) -> str:
    """Return the name of the part that a byte belongs to."""
    return next(name for name, where in regions.items() if place in where)


def _optional(parts: tuple[der.Element, ...]) -> list[tuple[str, der.Element]]:
    names = {der.SEQUENCE: "accuracy", der.BOOLEAN: "ordering", der.INTEGER: "nonce", der.context(0): "name"}
    return [(names[part.tag], part) for part in parts[len(_INFO) :]]


def _contents(element: der.Element) -> range:
    end = element.offset + len(element.encoded())
    return range(end - len(element.content), end)
