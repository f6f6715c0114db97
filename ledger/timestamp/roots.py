"""Certificates that the caller trusts, from a file of the caller's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cryptography import x509

from ledger.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

_PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_PEM_BEGIN = b"-----BEGIN "


def load_roots(path: Path) -> list[x509.Certificate]:
    """Read certificates from a file: PEM, one or many, or one in DER.

    Raises:
        InvalidInputError: the file cannot be read, or holds something other than certificates.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot be read: {error.strerror}", place=(str(path),)) from None
    if _PEM_BEGIN not in data:
        return [_certificate(data, str(path))]
    blocks = list(_PEM_BLOCK.finditer(data))
    if len(blocks) != data.count(_PEM_BEGIN):
        raise InvalidInputError("a PEM block without its end", place=(str(path),))
    certificates = []
    for number, block in enumerate(blocks, start=1):
        place = (str(path), f"PEM block {number}")
        if block[1] != b"CERTIFICATE":
            raise InvalidInputError(f"a {block[1].decode()} where a certificate belongs", place=place)
        certificates.append(_certificate(block[0], *place))
    return certificates


def _certificate(data: bytes, *place: str) -> x509.Certificate:
    try:
        if data.startswith(_PEM_BEGIN):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except (ValueError, x509.InvalidVersion):
        raise InvalidInputError(
            "not a certificate, neither PEM nor DER",
            place=place,
            next_step=f"openssl x509 -in {place[0]} -text shows what it is",
        ) from None
