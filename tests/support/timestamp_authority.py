"""Timestamp authorities of the test's own making, by the openssl command line."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from ledger.timestamp import der

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"

CRITICAL_TIMESTAMPING = "extendedKeyUsage = critical,timeStamping"
ALWAYS = ("20200101000000Z", "20490101000000Z")
LONG_OVER = ("20200101000000Z", "20210101000000Z")
P256, P224, RSA_2048, RSA_1024 = "ec:P-256", "ec:P-224", "rsa:2048", "rsa:1024"

_CONFIGURATION = """
[ca]
default_ca = local
[local]
dir = {folder}
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/certificates
default_md = sha256
policy = anything
unique_subject = no
[anything]
commonName = supplied
[req]
distinguished_name = none
[none]
[tsa]
default_tsa = authority
[authority]
serial = {folder}/serial
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
digests = sha1, sha256, sha384, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 6
ordering = yes
tsa_name = {tsa_name}
ess_cert_id_alg = {ess_hash}
signer_digest = {digest}
"""


def openssl(*words: str | Path, succeeds: bool = True) -> str:
    """Run openssl and return what it says on both streams; it is required, not optional."""
    run = subprocess.run(["openssl", *map(str, words)], capture_output=True, check=False)
    said = (run.stdout + run.stderr).decode(errors="replace")
    assert (run.returncode == 0) is succeeds, said
    return said


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate_path: Path
    key_path: Path

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate, loaded."""
        return x509.load_pem_x509_certificate(self.certificate_path.read_bytes())


def make_pair(
    folder: Path,
    name: str,
    *,
    issuer: Pair | None = None,
    extensions: str = CRITICAL_TIMESTAMPING,
    validity: tuple[str, str] = ALWAYS,
    key: str = P256,
    digest: str = "sha256",
    subject: str | None = None,
    serial_number: int | None = None,
) -> Pair:
    """Make a certificate; without an issuer, it is its own."""
    folder.mkdir(exist_ok=True)
    configuration = folder / "openssl.cnf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, tsa_name="yes", ess_hash="sha256", digest="sha256")
    )
    (folder / "index.txt").write_text("")  # numbers may be given twice
    number = f"{serial_number or x509.random_serial_number():x}"
    (folder / "certificates").write_text(number.zfill(len(number) + len(number) % 2) + "\n")
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    kind, size = key.split(":")
    option = f"{kind}_paramgen_curve:{size}" if kind == "ec" else f"rsa_keygen_bits:{size}"
    openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", pair.key_path)
    query = folder / f"{name}.csr"
    openssl(
        *("req", "-new", "-config", configuration, "-key", pair.key_path),
        *("-subj", f"/CN={subject or name}", "-out", query),
    )
    extension_file = folder / f"{name}.ext"
    extension_file.write_text(extensions + "\n")
    signing = (
        ("-cert", issuer.certificate_path, "-keyfile", issuer.key_path)
        if issuer
        else ("-selfsign", "-keyfile", pair.key_path)
    )
    openssl(
        *("ca", "-batch", "-notext", "-config", configuration, "-in", query, "-out", pair.certificate_path),
        *("-extfile", extension_file, "-startdate", validity[0], "-enddate", validity[1], "-md", digest),
        *signing,
    )
    return pair


def make_root(folder: Path, name: str = "Test root", *, validity: tuple[str, str] = ALWAYS) -> Pair:
    """Make a certification authority."""
    extensions = "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign"
    return make_pair(folder, name, extensions=extensions, validity=validity)


def make_intermediate(
    folder: Path, root: Pair, name: str = "Test intermediate", *, digest: str = "sha256"
) -> Pair:
    """Make a certification authority below another."""
    extensions = "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign"
    return make_pair(folder, name, issuer=root, extensions=extensions, digest=digest)


@dataclass(frozen=True)
class Authority:
    """A timestamp authority: a signing pair, and how it answers."""

    folder: Path
    pair: Pair
    chain: tuple[Pair, ...] = ()
    tsa_name: bool = True
    ess_hash: str = "sha256"
    digest: str = "sha256"

    def reply(self, request: bytes) -> bytes:
        """Answer a request as ``openssl ts -reply`` does."""
        configuration = self.folder / "authority.cnf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                tsa_name="yes" if self.tsa_name else "no",
                ess_hash=self.ess_hash,
                digest=self.digest,
            )
        )
        query, answer = self.folder / "query.tsq", self.folder / "answer.tsr"
        query.write_bytes(request)
        words: list[str | Path] = ["ts", "-reply", "-config", configuration, "-queryfile", query]
        words += ["-signer", self.pair.certificate_path, "-inkey", self.pair.key_path, "-out", answer]
        if self.chain:
            chain = self.folder / "chain.pem"
            chain.write_bytes(b"".join(pair.certificate_path.read_bytes() for pair in self.chain))
            words += ["-chain", chain]
        openssl(*words)
        return answer.read_bytes()


def resigned(
    reply: bytes,
    pair: Pair,
    *,
    named: x509.Certificate | None = None,
    certificates: Sequence[x509.Certificate] | None = None,
    content: Callable[[bytes], bytes] = lambda content: content,
    without: str | None = None,
) -> bytes:
    """Return a reply as whoever holds this P-256 key can forge it from another.

    Args:
        reply: the reply that everything else is taken from.
        pair: who signs.
        named: the certificate whose hash the signed attributes give, if not the signer's.
        certificates: what comes along, if not the signer's alone.
        content: a change to the TSTInfo.
        without: a signed attribute to leave out.
    """
    tree = der.decode(reply)
    content_info = tree.parts[1]
    version, digests, encapsulated, _, signers = content_info.parts[1].parts[0].parts
    signer_version, _, digest_algorithm, attributes, signature_algorithm, _ = signers.parts[0].parts
    info = content(encapsulated.parts[1].parts[0].content)
    own = (named or pair.certificate).public_bytes(Encoding.DER)
    naming = der.encode(der.SEQUENCE, der.encode(der.OCTET_STRING, hashlib.sha256(own).digest()))
    values = {
        MESSAGE_DIGEST: der.encode(der.OCTET_STRING, hashlib.sha256(info).digest()),
        SIGNING_CERTIFICATE_V2: der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, naming)),
    }
    changed = []
    for attribute in attributes.parts:
        kind = attribute.parts[0].object_identifier()
        if kind != without:
            value = values.get(kind, attribute.parts[1].content)
            changed.append(der.encode(der.SEQUENCE, attribute.parts[0].encoded(), der.encode(der.SET, value)))
    changed.sort()
    key = load_pem_private_key(pair.key_path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(der.encode(der.SET, *changed), ec.ECDSA(hashes.SHA256()))
    serial_number = pair.certificate.serial_number
    number = serial_number.to_bytes(serial_number.bit_length() // 8 + 1)
    identifier = der.encode(
        der.SEQUENCE, pair.certificate.issuer.public_bytes(), der.encode(der.INTEGER, number)
    )
    signer = der.encode(
        der.SEQUENCE,
        signer_version.encoded(),
        identifier,
        digest_algorithm.encoded(),
        der.encode(der.context(0), *changed),
        signature_algorithm.encoded(),
        der.encode(der.OCTET_STRING, signature),
    )
    inside = [each.public_bytes(Encoding.DER) for each in certificates or [pair.certificate]]
    signed_data = der.encode(
        der.SEQUENCE,
        version.encoded(),
        digests.encoded(),
        der.encode(
            der.SEQUENCE,
            encapsulated.parts[0].encoded(),
            der.encode(der.context(0), der.encode(der.OCTET_STRING, info)),
        ),
        der.encode(der.context(0), *inside),
        der.encode(der.SET, signer),
    )
    token = der.encode(der.SEQUENCE, content_info.parts[0].encoded(), der.encode(der.context(0), signed_data))
    return der.encode(der.SEQUENCE, tree.parts[0].encoded(), token)
