"""``replay solvency prove`` and what customers, auditors and the venue do with a proof, as they run it."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import subprocess
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.checkpoint import SigningKey
from ledger.clock import format_time
from ledger.store.ledger import Ledger
from tests.support.commands import Commands
from tests.support.ledgers import ORIGIN, START, Drafts, open_ledger, venue_setup
from tests.support.postgres import fresh_database
from tests.support.processes import command_line, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.commands import Run

KEY = ("--trusted-key", "trusted")
FIXED = {
    "sequence",
    "checkpoint_size",
    "log_root",
    "state_root",
    "liabilities_root",
    "liabilities",
    "reserves",
    "solvent",
}


@contextmanager
def watching(commands: Commands, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``replay solvency watch`` for a block; it is killed at the end, if it still runs."""
    with subprocess.Popen(
        command_line("solvency", "watch", *words, package="replay"),
        env=environment(commands.database_url),
        cwd=commands.folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture(scope="module", autouse=True)
def passphrase() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment_of_commands:
        environment_of_commands.setenv("LEDGER_KEY_PASSPHRASE", "a passphrase for tests alone")
        yield


@contextmanager
def copy_of(made: Commands, server_url: str, folder: Path) -> Iterator[Commands]:
    """Give a copy of a venue, its database and its files: made anew, each step would take a command."""
    shutil.copytree(made.folder, folder, dirs_exist_ok=True)
    with fresh_database(server_url, like=made.database_url) as url:
        yield Commands(url, folder)


@pytest.fixture(scope="module")
def venue(database_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """A venue with keys: ada has two accounts, bob is short 2 BTC against her, 70,000 USDT are attested."""
    with fresh_database(database_server_url) as url:
        record_day(url)
        run = Commands(url, tmp_path_factory.mktemp("venue"))
        succeeds(run.ledger("keys", "generate"))
        succeeds(run.ledger("keys", "export-public", "--out", "trusted"))
        yield run


@pytest.fixture(scope="module")
def proved_venue(
    venue: Commands, database_server_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Commands]:
    """The venue, with a proof in the folder ``proof``."""
    with copy_of(venue, database_server_url, tmp_path_factory.mktemp("proved")) as copy:
        succeeds(copy.replay("solvency", "prove", "--out", "proof"))
        yield copy


@pytest.fixture
def commands(venue: Commands, database_server_url: str, tmp_path: Path) -> Iterator[Commands]:
    """The venue as a test may change it."""
    with copy_of(venue, database_server_url, tmp_path) as copy:
        yield copy


@pytest.fixture
def proved(proved_venue: Commands, database_server_url: str, tmp_path: Path) -> Iterator[Commands]:
    """The venue with its proof, as a test may change both; to it the newest proof is the one copied from."""
    with copy_of(proved_venue, database_server_url, tmp_path) as copy:
        yield copy


def record_day(database_url: str) -> None:
    drafts = venue_setup()
    drafts.add("AssetListed", asset="USDT", scale="6")
    opened = {"margin_mode": "cross", "position_mode": "one_way", "kind": "customer"}
    for account in ("ada-1", "ada-2"):
        drafts.add("AccountOpened", account=account, customer="ada", **opened)
    drafts.add("AccountOpened", account="bob", **opened)
    for account, amount in (("ada-1", "10000"), ("ada-2", "0.25"), ("bob", "50000")):
        drafts.add("DepositRecorded", account=account, asset="USDT", amount=amount)
    drafts.add(
        "TradeExecuted",
        instrument="BTC-PERP",
        quantity="2",
        price="30000",
        buyer="ada-1",
        seller="bob",
        buyer_fee="0",
        seller_fee="0",
        fee_asset="USDT",
        trade_id="T1",
    )
    drafts.add("MarkPriceUpdated", instrument="BTC-PERP", price="31000")
    drafts.add(
        "ReserveAttested",
        asset="USDT",
        custodian="bank",
        amount="70000",
        as_of=format_time(START),
        attester="auditor",
    )
    with open_ledger(database_url) as ledger:
        ledger.append(drafts.drafts)


def succeeds(run: Run) -> Run:
    assert run.exit_code == 0, run.stderr
    return run


def newest(commands: Commands) -> int:
    with Ledger.open(commands.database_url) as ledger:
        return ledger.head().sequence


def record(commands: Commands, event_type: str, **data: str) -> None:
    drafts = Drafts(first=newest(commands) + 1000)
    drafts.add(event_type, **data)
    with Ledger.open(commands.database_url) as ledger:
        ledger.append(drafts.drafts)


def test_a_proof_is_of_what_the_venue_owes_and_under_a_checkpoint(commands: Commands) -> None:
    before = newest(commands)
    document = succeeds(commands.replay("solvency", "prove", "--out", "proof", "--json")).document
    assert document.keys() >= FIXED
    venue = commands.replay("venue", "--at", str(before), "--json").document
    for name in ("sequence", "liabilities", "reserves", "reserve_ratio", "solvent", "insurance_fund"):
        assert document[name] == venue[name]
    assert document["liabilities"] == {"USDT": "60000.25"}
    assert document["customers"] == 2
    assert document["commitment_sequence"] == before + 1
    signed = commands.ledger("checkpoint", "--json").document
    assert (document["checkpoint_size"], document["log_root"]) == (signed["tree_size"], signed["root_hash"])
    committed = json.loads(commands.ledger("show", str(before + 1), "--json").stdout)["event"]
    assert committed["type"] == "StateCommitted"
    for name in ("state_root", "subjects_root", "liabilities_root"):
        assert committed["data"][name] == document[name]


def test_without_the_ledger_a_proof_holds_and_says_what_was_not_checked(
    proved: Commands, tmp_path: Path
) -> None:
    offline = Commands("postgresql://nowhere.invalid/none", tmp_path)
    run = succeeds(offline.replay("solvency", "verify", "proof", *KEY, "--json"))
    assert run.document["ok"] is True
    assert run.document["solvent"] is True
    assert run.document["liabilities"] == {"USDT": "60000.25"}
    assert any("--ledger" in each for each in run.document["not_checked"])
    assert any("--not-before" in each for each in run.document["not_checked"])
    assert any("whether what is attested is there" in each for each in run.document["not_checked"])
    assert "age" not in run.document["checks"]
    dated = succeeds(offline.replay("solvency", "verify", "proof", *KEY, "--not-before", "1", "--json"))
    assert dated.document["checks"]["age"] is True
    assert not any("--not-before" in each for each in dated.document["not_checked"])
    shutil.rmtree(tmp_path / "proof" / "private")
    public = succeeds(proved.replay("solvency", "verify", "proof", *KEY))
    assert "not checked: the leaves" in public.stdout
    assert "The proof holds." in public.stdout


def test_with_the_ledger_all_of_it_is_computed_anew(proved: Commands) -> None:
    run = succeeds(proved.replay("solvency", "verify", "proof", *KEY, "--ledger", "--json"))
    made = {"chain", "log_root", "state_root", "subjects_root", "claims", "liabilities", "totals", "time"}
    assert made <= {name for name, held in run.document["checks"].items() if held}
    assert run.document["events"] == run.document["checkpoint_size"]


def test_a_proof_by_rules_of_another_version_is_not_taken_for_one_that_was_computed_anew(
    proved: Commands,
) -> None:
    newer = """
import sys; sys.argv[0] = "replay"
import replay.commitments.verification
replay.commitments.verification.PROJECTION_VERSION += 1
from replay.cli import main; main()
"""
    run = proved._run(newer, "solvency", "verify", "proof", *KEY, "--ledger")
    assert run.exit_code == 4
    assert "ok     log_root" in run.stdout
    assert "was NOT compared with what the events come to" in run.stdout
    assert "state_root" not in run.stdout


def test_what_the_venue_alone_decided_is_told(proved: Commands) -> None:
    run = succeeds(proved.replay("solvency", "verify", "proof", *KEY))
    assert "fresh: at most 86400 s before the state's last event, as the venue chose" in run.stdout
    assert "not checked: how old it is" in run.stdout
    recent = succeeds(proved.replay("solvency", "verify", "proof", *KEY, "--not-before", "1", "--json"))
    assert recent.document["maximum_age_seconds"] == "86400"
    assert recent.document["checks"]["age"] is True
    assert not any("how old" in each for each in recent.document["not_checked"])


def test_an_altered_balance_names_the_account(proved: Commands, tmp_path: Path) -> None:
    file = tmp_path / "proof" / "private" / "accounts.ndjson"
    file.write_text(file.read_text().replace('"48000"', '"47000"'))
    run = proved.replay("solvency", "verify", "proof", *KEY, "--ledger", "--json")
    assert run.exit_code == 3
    failed = {each["check"]: each for each in run.document["failures"]}
    assert "account bob: 48000 USDT" in failed["claims"]["expected"]
    assert "account bob: 47000 USDT" in failed["claims"]["actual"]
    assert "customer bob: 47000 USDT" in failed["leaves"]["expected"]
    assert run.document["solvent"] is None


def test_a_changed_digit_in_the_published_part_is_refused(proved: Commands, tmp_path: Path) -> None:
    file = tmp_path / "proof" / "proof.json"
    file.write_text(file.read_text().replace("60000.25", "60000.24"))
    run = proved.replay("solvency", "verify", "proof", *KEY)
    assert run.exit_code == 3
    assert "BROKEN liabilities_root" in run.stdout
    assert "believe none of its figures" in run.stdout
    assert "SOLVENT" not in run.stdout
    assert "witnesses" not in {line.split()[-1] for line in run.stdout.splitlines() if "ok " in line}


def test_a_key_of_somebody_else_is_refused(proved: Commands, tmp_path: Path) -> None:
    other = Commands(proved.database_url, tmp_path / "other")
    (tmp_path / "other").mkdir()
    public = (tmp_path / "trusted").read_text().splitlines()[0]
    name, _, _ = public.partition("+")
    stranger = SigningKey.of(name, Ed25519PrivateKey.generate()).verifier.encode()
    run = other.replay("solvency", "verify", "../proof", "--trusted-key", stranger)
    assert run.exit_code == 3
    assert "BROKEN signature" in run.stdout
    assert other.replay("solvency", "verify", "../proof").exit_code == 2


def test_a_customer_checks_their_own_leaf_offline(proved: Commands, tmp_path: Path) -> None:
    made = succeeds(proved.replay("solvency", "inclusion", "ada-2", "--out", "ada.json", "--json"))
    assert made.document["customer"] == "ada"
    offline = Commands("postgresql://nowhere.invalid/none", tmp_path)
    checked = succeeds(
        offline.replay("solvency", "check-inclusion", "ada.json", *KEY, "--customer", "ada", "--json")
    )
    assert checked.document["owed"] == {"USDT": "12000.25"}
    assert checked.document["origin"] == ORIGIN
    words = succeeds(offline.replay("solvency", "check-inclusion", "ada.json", *KEY)).stdout
    assert "12000.25 USDT" in words
    assert "whether others are left out" in words
    assert "not checked: how old it is" in words
    assert stat.S_IMODE((tmp_path / "ada.json").stat().st_mode) == 0o600


def test_a_customers_file_goes_from_one_command_to_the_next_by_pipe(proved: Commands, tmp_path: Path) -> None:
    dry = succeeds(proved.replay("solvency", "inclusion", "ada", "--out", "ada.json", "--dry-run", "--json"))
    assert not (tmp_path / "ada.json").exists()
    piped = succeeds(proved.replay("solvency", "inclusion", "ada", "--out", "-")).stdout
    succeeds(proved.replay("solvency", "inclusion", "ada", "--out", "ada.json"))
    assert piped == (tmp_path / "ada.json").read_text()
    assert dry.document["bytes"] == len(piped.encode())
    with (tmp_path / "ada.json").open() as file:
        checking = subprocess.run(
            command_line("solvency", "check-inclusion", "-", *KEY, package="replay"),
            env=environment(proved.database_url),
            cwd=tmp_path,
            stdin=file,
            capture_output=True,
            text=True,
            check=True,
        )
    assert "12000.25 USDT" in checking.stdout


@pytest.mark.parametrize(
    ("words", "check"),
    [
        (("--customer", "bob"), "customer"),
        (("--not-before", "100000"), "age"),
        (("--not-before", "2027-01-01T00:00:00Z"), "age"),
        (("--origin", "elsewhere.example/venue"), "origin"),
        (("--require-witnesses", "0", "--compromised-at", "2020-01-01T00:00:00Z"), "compromise"),
    ],
)
def test_what_the_customer_does_not_expect_is_refused(
    proved: Commands, words: tuple[str, ...], check: str
) -> None:
    succeeds(proved.replay("solvency", "inclusion", "ada", "--out", "ada.json"))
    run = proved.replay("solvency", "check-inclusion", "ada.json", *KEY, *words)
    assert run.exit_code == 3
    assert f"error: {check}: expected" in run.stderr
    assert "next: " in run.stderr


def test_a_changed_amount_in_an_inclusion_file_is_refused(proved: Commands, tmp_path: Path) -> None:
    succeeds(proved.replay("solvency", "inclusion", "bob", "--out", "bob.json"))
    text = (tmp_path / "bob.json").read_text()
    (tmp_path / "more.json").write_text(text.replace('"sums":{"USDT":"48000"}', '"sums":{"USDT":"48001"}'))
    run = proved.replay("solvency", "check-inclusion", "more.json", *KEY)
    assert run.exit_code == 3
    assert "liabilities_root" in run.stderr
    (tmp_path / "spaced.json").write_text(text.replace('","', '", "'))
    assert "form" in proved.replay("solvency", "check-inclusion", "spaced.json", *KEY).stderr


def test_who_is_not_in_the_proof_is_told_so(proved: Commands) -> None:
    for name in ("nobody", 'x","customer":"', ""):
        run = proved.replay("solvency", "inclusion", name, "--out", "none.json")
        assert run.exit_code == 5, run.stderr
    assert proved.replay("solvency", "inclusion", "ada", "--out", "-", "--proof", "elsewhere").exit_code == 2


def test_customers_can_be_split_over_several_leaves(commands: Commands) -> None:
    document = succeeds(
        commands.replay("solvency", "prove", "--out", "proof", "--parts", "3", "--json")
    ).document
    assert document["leaves"] == 8
    succeeds(commands.replay("solvency", "verify", "proof", *KEY, "--ledger"))
    succeeds(commands.replay("solvency", "inclusion", "ada", "--out", "ada.json"))
    checked = succeeds(commands.replay("solvency", "check-inclusion", "ada.json", *KEY, "--json"))
    assert checked.document["owed"] == {"USDT": "12000.25"}


@pytest.mark.usefixtures("proved")
def test_what_is_not_for_publication_is_for_the_owner_alone_to_read(tmp_path: Path) -> None:
    private = [tmp_path / "proof" / "private", tmp_path / ".ledger" / "solvency" / "seed"]
    private += [*private[0].iterdir()]
    for path in private:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    for path in (tmp_path / "proof").glob("*.*"):
        for name in (b'"ada"', b"ada-1", b"ada-2", b'"bob"'):  # without quotes a hash may hold them
            assert name not in path.read_bytes(), path


def test_nothing_is_recorded_by_a_dry_run_or_where_the_place_is_taken(
    proved: Commands, tmp_path: Path
) -> None:
    before = newest(proved)
    dry = succeeds(proved.replay("solvency", "prove", "--dry-run", "--json")).document
    assert dry["commitment_sequence"] is None
    assert dry["checkpoint_size"] is None
    taken = proved.replay("solvency", "prove", "--out", "proof")
    assert taken.exit_code == 2
    assert "exists already" in taken.stderr
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary").write_text("dear")
    assert proved.replay("solvency", "prove", "--out", "mine", "--force").exit_code == 2
    assert proved.replay("solvency", "prove").exit_code == 2
    assert newest(proved) == before
    succeeds(proved.replay("solvency", "prove", "--out", "proof", "--force"))
    assert newest(proved) == before + 1
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith((".partial", ".replaced"))] == []


def test_without_keys_nothing_is_committed(database_url: str, tmp_path: Path) -> None:
    with open_ledger(database_url) as ledger:
        ledger.append(venue_setup().drafts)
    commands = Commands(database_url, tmp_path)
    before = newest(commands)
    run = commands.replay("solvency", "prove", "--out", "proof")
    assert run.exit_code == 5
    assert "ledger keys generate" in run.stderr
    assert newest(commands) == before
    assert not (tmp_path / "proof").exists()


def test_an_older_state_can_be_proved_and_the_same_state_is_committed_once(proved: Commands) -> None:
    sequence = json.loads((proved.folder / "proof" / "proof.json").read_bytes())["header"]["as_of_sequence"]
    again = succeeds(proved.replay("solvency", "prove", "--out", "again", "--at", str(sequence), "--json"))
    first = succeeds(proved.replay("solvency", "verify", "proof", *KEY, "--json"))
    for name in ("commitment_sequence", "state_root", "liabilities_root"):
        assert again.document[name] == first.document[name]
    by_time = succeeds(
        proved.replay("solvency", "prove", "--dry-run", "--at", "2026-01-01T00:00:14Z", "--json")
    )
    assert by_time.document["liabilities"] == {"USDT": "60000.25"}
    assert proved.replay("solvency", "prove", "--dry-run", "--at", "100000").exit_code == 5
    assert proved.replay("solvency", "prove", "--dry-run", "--at", "2020-01-01T00:00:00Z").exit_code == 5


def test_a_proof_without_attestations_says_what_is_missing_for_a_verdict(commands: Commands) -> None:
    before = newest(commands) - 3  # two keys and the attestation came last
    proved = succeeds(commands.replay("solvency", "prove", "--out", "proof", "--at", str(before)))
    verified = succeeds(commands.replay("solvency", "verify", "proof", *KEY))
    for run in (proved, verified):
        assert "unknown: no reserves are attested" in run.stdout


def test_a_venue_that_owes_more_than_is_attested_proves_that(commands: Commands) -> None:
    record(commands, "DepositRecorded", account="bob", asset="USDT", amount="20000")
    run = commands.replay("solvency", "prove", "--out", "proof")
    assert run.exit_code == 1
    assert "NOT SOLVENT" in run.stdout
    verified = commands.replay("solvency", "verify", "proof", *KEY, "--ledger", "--json")
    assert verified.exit_code == 1
    assert verified.document["ok"] is True
    assert verified.document["solvent"] is False
    assert Decimal(verified.document["liabilities"]["USDT"]) > Decimal(verified.document["reserves"]["USDT"])


def test_the_page_is_written_for_customers(commands: Commands, tmp_path: Path) -> None:
    succeeds(commands.replay("solvency", "page", "--out", "page.html"))
    assert b"<html" in (tmp_path / "page.html").read_bytes()
    assert commands.replay("solvency", "page", "--out", "page.html").exit_code == 2
    succeeds(commands.replay("solvency", "page", "--out", "other.html", "--dry-run"))
    assert not (tmp_path / "other.html").exists()
    piped = succeeds(commands.replay("solvency", "page", "--out", "-")).stdout
    assert piped == (tmp_path / "page.html").read_text()


def test_a_watch_commits_until_liabilities_exceed_reserves(commands: Commands) -> None:
    with watching(commands, "--every", "1s", "--out", "proofs", "--json") as watch:
        first = json.loads(line_of(watch))
        assert first["solvent"] is True
        assert first["findings"] == []
        record(commands, "DepositRecorded", account="bob", asset="USDT", amount="20000")
        second = json.loads(line_of(watch))
        assert watch.wait(60) == 1
    assert second["solvent"] is False
    (finding,) = second["findings"]
    assert finding["code"] == "liabilities_exceed_reserves"
    assert (finding["recorded"], finding["rebuilt"]) == ("70000", "80000.25")
    assert second["commitment_sequence"] in finding["evidence"]
    for each in (first, second):
        run = commands.replay("solvency", "verify", f"proofs/{each['sequence']}", *KEY, "--ledger", "--json")
        assert run.document["ok"] is True
        assert base64.b64decode(run.document["root_hash"])


def test_a_watch_that_is_asked_to_stop_is_no_verdict(commands: Commands, tmp_path: Path) -> None:
    with watching(commands, "--every", "1h", "--dry-run") as watch:
        assert "solvent" in line_of(watch)
        watch.terminate()
        assert watch.wait(60) == 0
    assert not (tmp_path / ".ledger" / "solvency").exists()
