"""A headless Chromium that tests drive over two pipes (Chrome DevTools Protocol), without any network.

With ``--remote-debugging-pipe`` the browser reads messages from descriptor 3 and writes its own to 4; each
is JSON and ends with a zero byte.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

PACKAGE = "chromium"
_LONGEST_WAIT_SECONDS = 120
_LOWEST_DESCRIPTOR = 10
_OPTIONS = (
    "--headless",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--use-mock-keychain",
    "--password-store=basic",
    "--remote-debugging-pipe",
)


class BrowserError(Exception):
    """The browser does not answer, or answers with an error."""


class Chromium:
    """A browser process; use it as a context manager, which ends it in every case.

    Args:
        folder: where it may keep its profile; not used by another browser.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("chromium")
        assert program is not None, f"no program `chromium`; these tests need the Debian package {PACKAGE}"
        self._folder = folder
        self._log = folder / "chromium.log"
        self._received = b""
        self._messages = 0
        self._events: list[dict[str, Any]] = []
        self._start(program)

    def _start(self, program: str) -> None:
        commands, self._commands = _pipe()
        self._answers, answers = _pipe()
        # A shell puts the pipes where the browser wants them; in this process 3 and 4 may be taken.
        script = f'exec 3<&{commands} 4>&{answers} {commands}<&- {answers}>&-; exec "$0" "$@"'
        arguments = [program, *_OPTIONS, f"--user-data-dir={self._folder / 'profile'}", "about:blank"]
        home = {"HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)}
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    ["bash", "-c", script, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(commands, answers),
                    env={**os.environ, **home},
                    start_new_session=True,  # so that its helpers can be ended with it
                )
        finally:
            os.close(commands)
            os.close(answers)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Kill the browser and all its helpers; it has nothing that is worth saving."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        os.close(self._commands)
        os.close(self._answers)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            BrowserError: it is refused, the browser ended, or no answer comes.
        """
        self._messages += 1
        number = self._messages
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") != number:
                self._events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def events(self, method: str, session: str) -> list[dict[str, Any]]:
        """Return the parameters of all events of a kind that came so far."""
        return [
            each["params"]
            for each in self._events
            if each.get("method") == method and each.get("sessionId") == session
        ]

    def open(self, url: str) -> Page:
        """Open a page in a tab of its own, and record every request that it makes from the first one on."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        for domain in ("Network", "Page", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        found = page.call("Page.navigate", url=url)
        assert "errorText" not in found, found
        page.evaluate(
            "new Promise((done) =>"
            " document.readyState === 'complete' ? done() : window.addEventListener('load', done))"
        )
        return page

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._commands, data) :]
        except BrokenPipeError:
            raise BrowserError(f"the browser ended: {self._last_words()}") from None

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        while b"\0" not in self._received:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise BrowserError(f"no answer in {_LONGEST_WAIT_SECONDS} s: {self._last_words()}")
            more = os.read(self._answers, 1 << 16)
            if not more:
                raise BrowserError(f"the browser ended: {self._last_words()}")
            self._received += more
        message, _, self._received = self._received.partition(b"\0")
        value: dict[str, Any] = json.loads(message)
        return value

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def _pipe() -> tuple[int, int]:
    """Return both ends of a pipe as descriptors above the ones that the browser wants."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


@dataclass(slots=True)
class Page:
    """A tab.

    Attributes:
        browser: that shows it.
        session: names the tab in messages.
        target: names it to the browser.
    """

    browser: Chromium
    session: str
    target: str

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command about this tab."""
        return self.browser.call(method, self.session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page; a promise is waited for.

        Raises:
            BrowserError: it throws.
        """
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise BrowserError(f"{expression[:200]}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def choose_file(self, selector: str, file: Path) -> None:
        """Choose a file in a file input, as a person would."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def fill(self, selector: str, text: str) -> None:
        """Put text into a field, as if it was typed."""
        given = f"document.querySelector({json.dumps(selector)}), {json.dumps(text)}"
        self.evaluate(
            "((field, text) => { field.value = text;"
            f" field.dispatchEvent(new Event('input', {{bubbles: true}})); }})({given})"
        )

    def text(self, selector: str) -> str:
        """Return what is to be read in an element."""
        found: str = self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return found

    def requests(self) -> list[str]:
        """Return the addresses of all requests so far, also of those that were blocked later."""
        return [
            each["request"]["url"] for each in self.browser.events("Network.requestWillBeSent", self.session)
        ]

    def faults(self) -> list[str]:
        """Return what the page threw, and what the browser complained of."""
        thrown = self.browser.events("Runtime.exceptionThrown", self.session)
        logged = self.browser.events("Log.entryAdded", self.session)
        return [
            *(json.dumps(each["exceptionDetails"]) for each in thrown),
            *(each["entry"]["text"] for each in logged),
        ]

    def close(self) -> None:
        """Close the tab."""
        self.browser.call("Target.closeTarget", targetId=self.target)
