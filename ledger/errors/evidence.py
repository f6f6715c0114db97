"""Errors of evidence and of those who make it: keys, checkpoints, proofs, witnesses, timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors.base import (
    EnvironmentFaultError,
    ExitCode,
    IntegrityError,
    LedgerError,
    escaped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class EvidenceRefusedError(IntegrityError):
    """A checkpoint, proof, tile or token does not stand up to what the verifier trusts.

    Attributes:
        check: name of the check that fails.
        expected: what should be there.
        actual: what is there.
        place: which file, if that is known.
    """

    def __init__(
        self,
        check: str,
        expected: str,
        actual: str,
        *,
        place: str | None = None,
        next_step: str | None = None,
    ) -> None:
        where = f"{place}: " if place else ""
        said = f"{where}{check}: expected {expected}, found {actual}"
        super().__init__(escaped(said), next_step=next_step)  # evidence may hold anything
        self.check = check
        self.expected = expected
        self.actual = actual
        self.place = place


class KeyUnusableError(EnvironmentFaultError):
    """A file of a private key cannot be opened, or is not the key that it should be.

    Attributes:
        file: its path.
        problem: what is wrong with it; never the passphrase.
    """

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"the key {file} cannot be used: {problem}",
            next_step="give its passphrase: --passphrase-file FILE, LEDGER_KEY_PASSPHRASE, or the prompt",
        )
        self.file = file
        self.problem = problem


class TimestampInvalidError(IntegrityError):
    """A timestamp does not show that these bytes existed at its time.

    Attributes:
        reason: what does not hold, as a word: ``status``, ``imprint``, ``nonce``, ``algorithm``,
            ``signer`` (who signed is not told without doubt), ``signature``, ``purpose`` (the certificate is
            not one for timestamping), ``time`` or ``chain``.
        problem: the same in a sentence.
    """

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(
            f"the timestamp does not hold ({reason}): {problem}",
            next_step="openssl ts -verify -in REPLY -data FILE -CAfile ROOTS says what another program finds",
        )
        self.reason = reason
        self.problem = problem


class TimestampAuthorityError(EnvironmentFaultError):
    """A timestamp authority cannot be reached, or answers with something other than a timestamp."""


class TimestampNotGrantedError(TimestampAuthorityError):
    """A timestamp authority answered that it gives no timestamp (RFC 3161 §2.4.2).

    Attributes:
        status: its name, for example ``rejection``.
        failures: names of the failure bits that are set.
        texts: what the authority says, in its words; nothing signs them.
    """

    def __init__(self, status: str, failures: tuple[str, ...], texts: tuple[str, ...]) -> None:
        details = ", ".join((*failures, *map(repr, texts)))
        super().__init__(
            f"the timestamp authority did not grant the request: status {status}"
            + (f" ({details})" if details else ""),
            next_step="ask again, or ask another authority",
        )
        self.status = status
        self.failures = failures
        self.texts = texts


class WitnessStateError(IntegrityError):
    """What a witness keeps of a log cannot be relied on, so it must not cosign.

    Attributes:
        file: the file that is wrong.
        problem: what is wrong with it.
    """

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(
            f"{file}: {problem}; this witness must not cosign",
            next_step="put back a copy that is not older than the last cosignature; without one, begin a "
            "new witness with a new name: ledger witness init",
        )
        self.file = file
        self.problem = problem


class WitnessRefusedError(LedgerError):
    """A witness did not cosign, for a reason that says nothing against the log's history.

    Attributes:
        url: where the witness was asked.
        status: of its HTTP response.
        reason: what it said.
    """

    exit_code = ExitCode.ENVIRONMENT

    def __init__(self, url: str, status: int, reason: str, *, next_step: str | None = None) -> None:
        super().__init__(f"the witness at {url} refused with status {status}: {reason}", next_step=next_step)
        self.url = url
        self.status = status
        self.reason = reason


class WitnessDisagreesError(WitnessRefusedError):
    """A witness has cosigned a history of the log that the checkpoint does not grow from."""

    exit_code = ExitCode.INTEGRITY_BROKEN


class WitnessesMissingError(EnvironmentFaultError):
    """Too few witnesses cosigned a checkpoint.

    Attributes:
        required: how many were asked for.
        cosigned: the names of those that did.
        problems: what kept the others.
    """

    def __init__(
        self, required: int, cosigned: tuple[str, ...], place: str, problems: Sequence[LedgerError]
    ) -> None:
        said = "".join(f"; {problem.message}" for problem in problems)
        super().__init__(
            f"{len(cosigned)} of {required} witnesses cosigned the checkpoint "
            f"({', '.join(cosigned) or 'none'}){said}; it is kept in {place}, and nothing was published",
            next_step="ledger checkpoint again, when they can be reached",
        )
        self.required = required
        self.cosigned = cosigned
        self.problems = tuple(problems)
