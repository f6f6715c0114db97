"""A witness at work: it reads what it kept, decides, stores, and only then answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import EnvironmentFaultError
from ledger.note import NoteFormError
from ledger.proof import ConsistencyProof
from ledger.witness.decision import consider, read_request
from ledger.witness.evidence import EvidenceFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.checkpoint import SigningKey
    from ledger.clock import Clock
    from ledger.witness.decision import Answer
    from ledger.witness.folder import WitnessFolder


class Witness:
    """A folder, the keys of its witness, and a clock; any number of threads may use it at once.

    Args:
        folder: what is kept.
        keys: what it cosigns with.
        clock: tells the time to sign.
        tell: takes one line for the operator: what became evidence, or why it could not be kept.
    """

    def __init__(
        self,
        folder: WitnessFolder,
        keys: tuple[SigningKey, ...],
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.evidence = EvidenceFolder(folder.path / "evidence")
        self._keys = keys
        self._clock = clock
        self._tell = tell

    def add_checkpoint(self, request: bytes, *, dry_run: bool = False) -> Answer:
        """Answer a request (C2SP tlog-witness, add-checkpoint).

        A cosignature is in the answer only when its checkpoint is on the disk.

        Args:
            request: the body.
            dry_run: decide, but keep nothing; the answer must not leave then.

        Raises:
            WitnessStateError: what was kept of the log cannot be relied on, or could not be read back.
            EnvironmentFaultError: the checkpoint could not be stored.
        """
        try:
            _, _, checkpoint = read_request(request)
        except NoteFormError:
            return consider(request, None, self._keys, self._clock.now())
        with self.folder.locked(checkpoint.origin) as log:
            # Under the lock, so that a later cosignature never signs an earlier time.
            answer = consider(request, log, self._keys, self._clock.now())
            if answer.cosigned is not None and not dry_run:
                self.folder.store(answer.cosigned)
            elif answer.contradicts is not None and not dry_run:
                self._keep(request, answer)
        return answer

    def add_checkpoint_file(self, data: bytes, *, dry_run: bool = False) -> Answer:
        """Answer a request in a file, or a bare checkpoint, which is a request without a proof.

        Where the last cosigned size is the checkpoint's own there is nothing to prove but the root; so,
        unlike over HTTP, a file that was cosigned once may be given again.

        Raises:
            WitnessStateError: what was kept of the log cannot be relied on.
            EnvironmentFaultError: the checkpoint could not be stored.
        """
        try:
            proof = ConsistencyProof.parse(data)
        except NoteFormError:
            proof = ConsistencyProof(0, (), data)
        try:
            _, _, checkpoint = read_request(proof.encode())
        except NoteFormError:
            return self.add_checkpoint(data, dry_run=dry_run)  # says what is wrong with the file
        with self.folder.locked(checkpoint.origin) as log:
            same_size = log is not None and log.size == checkpoint.size
        if same_size:
            proof = ConsistencyProof(checkpoint.size, (), proof.checkpoint)
        return self.add_checkpoint(proof.encode(), dry_run=dry_run)

    def _keep(self, request: bytes, answer: Answer) -> None:
        words = f"{answer.origin} signed a checkpoint of {answer.size} that does not fit: {answer.reason}"
        try:
            kept = self.evidence.keep(request, answer, self._clock.now())
        except (EnvironmentFaultError, OSError) as error:  # the refusal stands all the same
            self._tell(f"EVIDENCE could not be kept ({error}): {words}")
            return
        if kept is None:
            self._tell(f"EVIDENCE not kept, there is too much of it: {words}")
            return
        self._tell(f"EVIDENCE {kept.folder}: {words}")
        for folder in kept.replaced:
            self._tell(f"EVIDENCE {folder} made room for it: the oldest that proves nothing by itself")
