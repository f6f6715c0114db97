"""The page with which customers check their inclusion file, in a headless Chromium.

It shares no code with the program, and has to come to the same verdict on every file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ledger.clock import parse_time
from ledger.errors import EvidenceRefusedError
from ledger.note import SignatureType, VerifierKey
from ledger.trust import TrustPolicy
from replay.commitments.page import page as page_bytes
from replay.solvency import Expected, check_inclusion_file
from tests.support.chromium import PACKAGE, Chromium, Page
from tests.support.inclusion_files import byte_changes, randomly_edited, value_changes
from tests.support.keys import log_key, quantum_key, witness_key
from tests.support.solvency import World, edited, small_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUSTOMER = "emil"
ASK = """new Promise((done) => {
  const watch = new MutationObserver(() => {
    if (document.body.dataset.state !== "done") return;
    watch.disconnect();
    done({...document.body.dataset});
  });
  watch.observe(document.body, {attributes: true});
  document.querySelector("button").click();
})"""


class Verdict(NamedTuple):
    """What is said of a file: valid, invalid or none; the check that fails; why there is no verdict."""

    verdict: str
    check: str = ""
    reason: str = ""


VALID = Verdict("valid")


def invalid(check: str) -> Verdict:
    return Verdict("invalid", check)


class Looking:
    """A customer at the page."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self._file = folder / "inclusion.json"

    def check(
        self, file: bytes, keys: str = "", *, customer: str = "", since: str = "", paste: bool = False
    ) -> Verdict:
        """Give the page a file, keys and what is expected, and let it check."""
        if paste:
            self.page.fill("#text", file.decode())
        else:
            self._file.write_bytes(file)
            self.page.choose_file("#file", self._file)
        self.page.fill("#key", keys or ed25519_key())
        self.page.fill("#customer", customer)
        self.page.fill("#since", since)
        found = self.page.evaluate(ASK)
        return Verdict(found["verdict"], found["check"], found["reason"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started


@pytest.fixture
def looking(browser: Chromium, tmp_path: Path) -> Iterator[Looking]:
    """The page as it is given away, opened from a disk; it may throw nothing and complain of nothing."""
    file = tmp_path / "check-inclusion.html"
    file.write_bytes(page_bytes())
    page = browser.open(file.as_uri())
    yield Looking(page, tmp_path)
    assert page.faults() == []
    page.close()


@cache
def world(parts: int = 1) -> World:
    return small_world(parts=parts)


@cache
def good_file(parts: int = 1) -> bytes:
    return world(parts).inclusion(CUSTOMER).encode()


def ed25519_key() -> str:
    return world().keys[0].verifier.encode()


def of_program(file: bytes, keys: str = "", *, customer: str = "", since: str = "") -> Verdict:
    """What ``check_inclusion_file`` says with the Ed25519 keys alone, as browsers check no other."""
    read = [VerifierKey.parse(line) for line in (keys or ed25519_key()).splitlines()]
    policy = TrustPolicy.of(tuple(key for key in read if key.type is SignatureType.ED25519))
    expected = Expected(customer=customer or None, not_before_time=parse_time(f"{since}Z") if since else None)
    try:
        check_inclusion_file(file, policy, expected)
    except EvidenceRefusedError as error:
        return invalid(error.check)
    return VALID


# What a customer sees


def test_a_good_file_is_valid_and_its_amounts_are_shown(looking: Looking) -> None:
    assert looking.check(good_file(), world().vkeys()) == VALID
    shown = looking.page.text("#result")
    assert shown.startswith("VALID")
    assert "emil is in what venue.example/perpetuals says it owes" in shown
    for row in ("BTC\t2\t2.125", "ETH\t0.5\t3.500000000000000001", "USDT\t0.000001\t21510.250001"):
        assert row in shown
    for words in ("2026-03-12 09:00:23 UTC", "After event\n23", "entry 24 of 28", str(log_key().verifier)):
        assert words in shown
    assert "ML-DSA-44" in shown  # the second key was passed over, and that is said
    for limit in ("Only you know that", "other customers are left out", "witnesses", "name is yours"):
        assert limit in shown


def test_every_customer_of_a_tree_with_one_leaf_or_three_each_gets_their_amounts(looking: Looking) -> None:
    for parts in (1, 3):
        for customer in world(parts).customers:
            file = world(parts).inclusion(customer).encode()
            assert looking.check(file, customer=customer) == VALID, (parts, customer)
            owed = looking.page.evaluate(
                "[...document.querySelectorAll('tbody tr')].map((row) =>"
                " [row.children[0].innerText, row.children[1].innerText])"
            )
            amounts = world(parts).owed(customer)
            assert [asset for asset, _ in owed] == sorted(amounts)
            assert [f"{amounts[asset].normalize():f}" for asset, _ in owed] == [each for _, each in owed]


def test_a_customer_who_is_owed_nothing_is_told_so(looking: Looking) -> None:
    assert looking.check(world().inclusion("dora").encode()) == VALID
    assert "with nothing owed" in looking.page.text("#result")


def test_an_invalid_file_names_the_check_and_what_was_expected_and_found(looking: Looking) -> None:
    file = edited(good_file(), "leaves", 0, "sums", "BTC", to="3")
    assert looking.check(file) == invalid("liabilities_root")
    shown = looking.page.text("#result")
    assert shown.startswith("INVALID")
    assert world().made.commitment.liabilities_root.hex() in shown
    assert "tbody" not in looking.page.evaluate("document.querySelector('#figures').outerHTML")
    steps = looking.page.evaluate("[...document.querySelectorAll('#steps li')].map((step) => step.className)")
    assert steps == ["holds"] * 10 + ["fails", "open"]


def test_pasted_text_is_checked_like_the_file(looking: Looking) -> None:
    assert looking.check(good_file(), paste=True) == VALID
    assert looking.check(good_file()[:-1], paste=True) == VALID  # copying loses the last line end
    assert looking.check(good_file().replace(b'":', b'": ', 1), paste=True) == invalid("form")


def test_what_is_expected_is_held_against_the_file(looking: Looking) -> None:
    file = good_file()
    for customer, since, wanted in (
        ("emil", "2026-03-12T09:00:23", VALID),
        ("ada", "", invalid("customer")),
        ("", "2026-03-12T09:00:24", invalid("age")),
        ("", "2026-03-12T09:00:23.001", invalid("age")),
        ("", "2026-03-12T09:00", VALID),
        ("ada", "2027-01-01T00:00", invalid("customer")),
    ):
        assert looking.check(file, customer=customer, since=since) == wanted, (customer, since)
        assert of_program(file, customer=customer, since=since) == wanted


def test_a_verdict_goes_when_something_else_is_given(looking: Looking) -> None:
    for selector, value in (("#key", "other"), ("#text", "{}"), ("#customer", "ada"), ("#since", "")):
        assert looking.check(good_file()) == VALID
        looking.page.fill(selector, value)
        assert looking.page.evaluate("document.body.dataset.verdict") == "none"
        assert looking.page.evaluate("document.querySelector('#result').checkVisibility()") is False


def test_markup_in_a_file_is_shown_as_text(looking: Looking) -> None:
    markup = "<img src=x onerror=\"document.body.dataset.verdict='valid'\">"
    assert looking.check(edited(good_file(), "format", to=markup)) == invalid("form")
    assert markup in looking.page.text("#result")
    assert looking.page.evaluate("document.images.length") == 0


# Without a verdict


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (" \n", "Give the venue's public key"),
        ("hello", "not a public key of the form"),
        (witness_key().verifier.encode(), "key of a witness"),
        (quantum_key().verifier.encode(), "ML-DSA-44"),
        (log_key().verifier.encode().replace("+1b", "+1c", 1), "its id is"),
        (log_key().verifier.encode()[:-4] + "AAA=", "of no known kind"),
        (f"{log_key().verifier.encode()}\n{log_key('other.example').verifier.encode()}", "several logs"),
        (VerifierKey("a", SignatureType.ED25519, bytes(32)).encode(), "anyone can sign"),
        (VerifierKey("a", SignatureType.ED25519, bytes(31) + b"\x80").encode(), "anyone can sign"),
    ],
)
def test_without_a_usable_key_there_is_no_verdict(looking: Looking, keys: str, words: str) -> None:
    assert looking.check(good_file(), keys) == Verdict("none", reason="key")
    assert words in looking.page.text("#result")


def test_without_a_file_there_is_no_verdict(looking: Looking) -> None:
    assert looking.check(b"", paste=True) == Verdict("none", reason="file")


@pytest.mark.parametrize(
    "without",
    [
        "SubtleCrypto.prototype.importKey = async () => { throw new DOMException('no'); }",
        "SubtleCrypto.prototype.verify = async () => true",
        "Object.defineProperty(globalThis, 'crypto', {value: {}})",
    ],
)
def test_a_browser_that_cannot_check_signatures_gives_no_verdict(looking: Looking, without: str) -> None:
    looking.page.evaluate(f"{{ {without}; null }}")
    assert looking.check(good_file()) == Verdict("none", reason="browser")
    assert "Firefox 129" in looking.page.text("#result")


# Agreement with the program


def agree(looking: Looking, cases: dict[str, bytes]) -> dict[str, Verdict]:
    """Return both sides' verdicts, after they turned out to be the same."""
    theirs = {what: looking.check(file) for what, file in cases.items()}
    assert theirs == {what: of_program(file) for what, file in cases.items()}
    return theirs


def test_files_with_one_value_changed_are_judged_alike(looking: Looking) -> None:
    verdicts = agree(looking, dict(value_changes(world().inclusion(CUSTOMER))))
    assert {each.check for each in verdicts.values()} >= {
        "form", "proof", "checkpoint", "signature", "event", "inclusion", "header", "sum", "liabilities_root",
    }  # fmt: skip
    assert {what for what, each in verdicts.items() if each == VALID} == {"extra", "unknown signature"}
    assert verdicts["amount"] == verdicts["nonce"] == verdicts["index"] == invalid("liabilities_root")


def test_files_with_their_bytes_changed_are_judged_alike(looking: Looking) -> None:
    verdicts = agree(looking, dict(byte_changes(good_file())))
    assert {*verdicts.values()} == {invalid("form")}


def test_leaves_of_a_split_claim_stand_in_their_order_and_under_one_root(looking: Looking) -> None:
    file = good_file(3)
    leaves = json.loads(file)["leaves"]
    other = json.loads(world(3).inclusion("ada").encode())["leaves"]
    verdicts = agree(
        looking,
        {
            "swapped": edited(file, "leaves", to=[leaves[1], leaves[0], leaves[2]]),
            "one too few": edited(file, "leaves", to=leaves[:2]),
            "one twice": edited(file, "leaves", to=[leaves[0], {**leaves[0], "part": 1}, leaves[2]]),
            "one of another customer": edited(file, "leaves", 1, to={**other[1]}),
            "indices swapped": edited(
                edited(file, "leaves", 0, "index", to=leaves[1]["index"]),
                "leaves", 1, "index", to=leaves[0]["index"],
            ),
            "an amount moved between parts": edited(file, "leaves", 0, "sums", to=leaves[2]["sums"]),
        },
    )  # fmt: skip
    assert VALID not in verdicts.values()


def test_what_a_log_signed_and_should_not_have_is_refused_alike(looking: Looking) -> None:
    true = world().made.commitment.payload().json_value()
    totals: Any = true["totals"]

    def with_totals(**changes: Any) -> bytes:
        return changed_log(totals={**totals, **changes})

    less = {name: amounts for name, amounts in totals.items() if name != "shortfall"}
    cases = {
        "totals": with_totals(liabilities={**totals["liabilities"], "USDT": "1"}),
        "asset too many": with_totals(liabilities={**totals["liabilities"], "XRP": "1"}),
        "asset too few": with_totals(liabilities={"BTC": "2.125", "USDT": "21510.250001"}),
        "further total": with_totals(gold={"XAU": "1"}),
        "total missing": changed_log(totals=less),
        "state after it": changed_log(as_of_sequence="24"),
        "another state": changed_log(as_of_sequence="22"),
        "another projection": changed_log(projection="other"),
        "another version": changed_log(projection_version="3"),
        "another root": changed_log(liabilities_root="00" * 32),
        "another event": edited(
            edited(good_file(), "commitment", to=world().entries[25].decode()),
            "commitment_proof", to=world().proof_of(25, keys=world().keys[:1]).encode().decode(),
        ),
    }  # fmt: skip
    verdicts = agree(looking, cases)
    assert {what: each.check for what, each in verdicts.items()} == {
        "totals": "totals",
        "asset too many": "totals",
        "asset too few": "totals",
        "further total": "",
        "total missing": "commitment",
        "state after it": "commitment",
        "another state": "header",
        "another projection": "header",
        "another version": "header",
        "another root": "liabilities_root",
        "another event": "commitment",
    }


def test_a_commitment_that_is_not_written_as_events_are_is_refused_alike(looking: Looking) -> None:
    def written(old: str, new: str) -> bytes:
        def rewrite(event_bytes: bytes) -> bytes:
            assert old.encode() in event_bytes
            return event_bytes.replace(old.encode(), new.encode(), 1)

        return small_world(rewrite=rewrite).inclusion(CUSTOMER).encode()

    kind, start, optional = '"type":"StateCommitted"', '{"data"', '"schema":1'
    cases = {
        "another schema": written('"schema":1', '"schema":2'),
        "no schema": written('"schema":1,', ""),
        "schema as text": written('"schema":1', '"schema":"1"'),
        "another type": written(kind, '"type":"DepositRecorded"'),
        "unknown type": written(kind, '"type":"Other"'),
        "unknown member": written(kind, f'{kind},"zone":"1"'),
        "no time": written('"occurred_at":"2026-03-12T09:00:24.000000Z",', ""),
        "time in short": written("09:00:24.000000Z", "09:00:24Z"),
        "another zone": written("09:00:24.000000Z", "09:00:24.000000+00:00"),
        "id in capitals": written("00000018", "0000ABCD"),
        "id out of form": written("00000000-0000", "000000000000"),
        "actor": written(start, '{"actor":"governance","data"'),
        "no actor's name": written(start, '{"actor":"","data"'),
        "null": written(start, '{"actor":null,"data"'),
        "control character": written(start, '{"actor":"a\u0085","data"'),
        "long name": written(start, f'{{"actor":"{"a" * 257}","data"'),
        "causation": written(start, f'{{"causation":"{"0" * 8}-0000-0000-0000-{"0" * 12}","data"'),
        "causation out of form": written(start, '{"causation":"before","data"'),
        "received": written(optional, f'"received_at":"2026-03-12T09:00:24.500000Z",{optional}'),
        "received in short": written(optional, f'"received_at":"2026-03-12",{optional}'),
        "source": written(kind, f'"source":{{"file":"a.csv","inferred":true,"row":"1","system":"s"}},{kind}'),
        "source with a path": written(kind, f'"source":{{"file":"a/b.csv"}},{kind}'),
        "source with a flag as text": written(kind, f'"source":{{"inferred":"true"}},{kind}'),
        "source with a row as number": written(kind, f'"source":{{"row":1}},{kind}'),
        "source with another member": written(kind, f'"source":{{"line":"1"}},{kind}'),
        "source as text": written(kind, f'"source":"file",{kind}'),
        "count with a zero": written('"as_of_sequence":"23"', '"as_of_sequence":"023"'),
        "count as number": written('"as_of_sequence":"23"', '"as_of_sequence":23'),
        "count that is none": written('"as_of_sequence":"23"', '"as_of_sequence":"22.5"'),
        "count below zero": written('"as_of_sequence":"23"', '"as_of_sequence":"-1"'),
        "member of data missing": written('"projection":"margin-state",', ""),
        "member of data too many": written('"projection":', '"more":"1","projection":'),
        "total not in normal form": written('"21510.250001"', '"21510.2500010"'),
        "total as number": written('"21510.250001"', "21510"),
        "total of no asset": written('"USDT":"21510.250001"', '"US DT":"21510.250001"'),
        "name of a total": written('"reserves":', '"r eserves":'),
        "totals as text": written('"shortfall":{"USDT":"75.5"}', '"shortfall":"75.5"'),
        "root in capitals": written('"state_root":"', '"state_root":"A'),
    }
    verdicts = agree(looking, cases)
    assert {what for what, each in verdicts.items() if each == VALID} == {
        "actor", "causation", "received", "source",
    }  # fmt: skip
    assert {each.check for each in verdicts.values()} == {"", "commitment"}


def test_another_key_another_log_and_another_moment_are_refused_alike(looking: Looking) -> None:
    other_key = log_key(seed="another").verifier.encode()
    both = f"{other_key}\n{ed25519_key()}"
    elsewhere = small_world(origin="elsewhere.example/spot").inclusion(CUSTOMER).encode()
    yesterday = small_world(days=-1).inclusion(CUSTOMER).encode()
    for file, keys, since, wanted in (
        (good_file(), other_key, "", invalid("signature")),
        (good_file(), both, "", VALID),
        (elsewhere, ed25519_key(), "", invalid("origin")),
        (yesterday, ed25519_key(), "", VALID),
        (yesterday, ed25519_key(), "2026-03-12T00:00", invalid("age")),
    ):
        assert looking.check(file, keys, since=since) == wanted
        assert of_program(file, keys, since=since) == wanted


@pytest.mark.parametrize("seed", range(4))
def test_files_changed_at_random_are_judged_alike(looking: Looking, seed: int) -> None:
    rng = random.Random(seed)
    file = good_file(1 + seed % 2 * 2)
    cases = {}
    for number in range(40):
        place = rng.randrange(len(file))
        cases[f"byte {number}"] = file[:place] + bytes([rng.randrange(32, 127)]) + file[place + 1 :]
        cases[f"text {number}"] = randomly_edited(file, rng)
    verdicts = agree(looking, cases)
    assert len({each.check for each in verdicts.values()}) >= 4


def changed_log(**changes: Any) -> bytes:
    return small_world(changes=changes).inclusion(CUSTOMER).encode()


# Nothing leaves the page

ATTEMPTS = """async (address) => {
  const refused = new Set();
  const settled = (made, set) => new Promise((done) => {
    for (const event of ["load", "error", "open"]) made.addEventListener(event, done);
    set(made);
    if (made instanceof Element) document.body.append(made);
  });
  const attempts = [
    () => fetch(`${address}/fetch`, {mode: "no-cors"}),
    () => navigator.sendBeacon(`${address}/beacon`, "x"),
    () => settled(new Image(), (made) => made.src = `${address}/image`),
    () => settled(document.createElement("iframe"), (made) => made.src = `${address}/frame`),
    () => settled(document.createElement("script"), (made) => made.src = `${address}/script`),
    () => settled(document.createElement("link"),
      (made) => Object.assign(made, {rel: "stylesheet", href: `${address}/style`})),
    () => settled(new EventSource(`${address}/events`), () => {}),
    () => settled(new WebSocket(`${address.replace("http", "ws")}/socket`), () => {}),
  ];
  const form = Object.assign(document.createElement("form"), {action: `${address}/form`, method: "post"});
  document.body.append(form);
  const last = new Promise((done) => document.addEventListener("securitypolicyviolation", (event) => {
    refused.add(event.effectiveDirective);
    if (event.effectiveDirective === "form-action") done();
  }));
  await Promise.allSettled(attempts.map(async (attempt) => attempt()));
  form.submit();
  await last;
  return [...refused].sort();
}"""


class Listener:
    """A server on this machine that writes down what reaches it."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        paths = self.paths

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                paths.append(self.path)
                self.send_response(200)
                self.end_headers()

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def end(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.end()


def test_a_check_requests_nothing_but_the_page_itself(looking: Looking) -> None:
    assert looking.check(good_file()) == VALID
    assert looking.check(edited(good_file(), "customer", to="ada")) == invalid("liabilities_root")
    address, *more = looking.page.requests()
    assert address.endswith("/check-inclusion.html")
    assert address.startswith("file:///")
    assert [each for each in more if not each.startswith("data:image/svg+xml;")] == []  # icons of fields


def test_nothing_that_runs_in_the_page_reaches_a_server(
    browser: Chromium, listener: Listener, tmp_path: Path
) -> None:
    file = tmp_path / "check-inclusion.html"
    file.write_bytes(page_bytes())
    page = browser.open(file.as_uri())
    refused = page.evaluate(f"({ATTEMPTS})({json.dumps(listener.address)})")
    assert {"connect-src", "form-action", "frame-src", "img-src", "style-src-elem"} <= {*refused}
    browser.open(f"{listener.address}/control").close()  # the listener does hear what is not refused
    page.close()
    assert [path for path in listener.paths if path != "/favicon.ico"] == ["/control"]


def test_the_policy_names_the_hashes_of_script_and_style() -> None:
    page = page_bytes().decode()
    for name in ("script", "style"):
        (content,) = re.findall(f"<{name}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in page, "after a change, put this hash into the policy"
    assert "default-src 'none'" in page
    assert "unsafe" not in page


def test_without_chromium_the_tests_fail_and_name_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(AssertionError, match=f"Debian package {PACKAGE}"):
        Chromium(tmp_path)
