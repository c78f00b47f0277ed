"""Take a picture of what a real TensorBoard shows for a log folder.

    python docs/make_tensorboard_picture.py LOGDIR OUT.png [--width 1280] [--height 1080]

Starts a TensorBoard server on the loopback interface, waits until it has read the folder, opens its
time-series page in headless Chromium, and saves what is seen there once the curves are drawn. Needs
tensorboard and a Chromium (Debian: ``apt-get install chromium``), with which it talks through a pipe, in
the DevTools protocol.
"""
from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Iterator, Optional

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-default-apps",
          "--hide-scrollbars", "--no-sandbox", "--mute-audio")
# No settings pane, no smoothing, no table under each curve, two curves side by side.
_SETTINGS = {"timeSeriesSettingsPaneOpened": False, "scalarSmoothing": 0, "stepSelectorEnabled": False,
             "timeSeriesCardMinWidth": 400, "ignoreOutliers": False, "theme": "light"}
_ALL_DRAWN = """(() => {
const cards = [...document.querySelectorAll('scalar-card')];
return cards.length > 0 && cards.every(card => card.querySelector('line-chart canvas, line-chart svg'));
})()"""


@contextlib.contextmanager
def tensorboard_server(log_dir: Path, wait: float = 60.0) -> Iterator[str]:
    """Run TensorBoard for `log_dir`; gives its address once it has read at least one scalar.

    Raises:
        RuntimeError: the server stopped, or found no scalars within `wait` seconds.
    """
    port = _free_port()
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(log_dir), "--host", "127.0.0.1",
               "--port", str(port), "--reload_interval", "1", "--load_fast", "false",
               "--samples_per_plugin", "scalars=10000"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + wait
        while not _has_scalars(address):
            if server.poll() is not None:
                raise RuntimeError(f"TensorBoard ended with code {server.returncode}; is it installed?")
            if time.monotonic() > deadline:
                raise RuntimeError(f"TensorBoard found no scalars in {log_dir} within {wait:g} s.")
            time.sleep(0.3)
        yield address
    finally:
        server.terminate()
        server.wait()


def take_picture(address: str, target: Path, width: int, height: int) -> None:
    """Save what a browser window of this size shows at `address`.

    Raises:
        RuntimeError: there is no Chromium, it does not answer, or nothing was drawn.
    """
    with _browser() as browser:
        page = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        browser.session = browser.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        browser.ask("Page.navigate", url=address)
        browser.wait_for("document.readyState == 'complete' && location.href != 'about:blank'", "is not there")
        # The page reads its settings when it starts: set them, then load it again.
        browser.run(f"localStorage.setItem('_tb_global_settings', JSON.stringify({json.dumps(_SETTINGS)}))")
        browser.run("window.isTheOldPage = true")
        browser.ask("Page.reload")
        browser.wait_for(f"!window.isTheOldPage && {_ALL_DRAWN}", "has drawn no curves")
        time.sleep(3.0)  # for the last of the lines
        picture = base64.b64decode(browser.ask("Page.captureScreenshot", format="png")["data"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture)


class _Browser:
    """A browser at the other end of two pipes: messages in JSON, with a zero byte behind each.

    Attributes:
        session: the page that is talked to; None for the browser itself.
    """

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self.session: Optional[str] = None
        self._to_browser = to_browser
        self._from_browser = from_browser
        self._read = b""
        self._asked = 0

    def ask(self, method: str, **parameters: Any) -> Any:
        """Call a method and return its result."""
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._next_message())
            if answer.get("id") == self._asked:  # all else are events
                if "error" in answer:
                    raise RuntimeError(f"Chromium's {method} failed: {answer['error']['message']}")
                return answer["result"]

    def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str, failure: str, wait: float = 60.0) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = time.monotonic() + wait
        while not self.run(expression):
            if time.monotonic() > deadline:
                raise RuntimeError(f"TensorBoard's page {failure} within {wait:g} s.")
            time.sleep(0.5)

    def _next_message(self, wait: float = 60.0) -> bytes:
        while b"\0" not in self._read:
            ready = select.select([self._from_browser], [], [], wait)[0]
            chunk = os.read(self._from_browser, 1 << 16) if ready else b""
            if not chunk:
                raise RuntimeError(f"Chromium {'has ended' if ready else f'has not answered within {wait:g} s'}.")
            self._read += chunk
        message, self._read = self._read.split(b"\0", 1)
        return message


@contextlib.contextmanager
def _browser() -> Iterator[_Browser]:
    """Start a browser that talks through pipes."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        raise RuntimeError(f"This needs one of {', '.join(_BROWSERS)}; install Chromium.")
    ends = [*os.pipe(), *os.pipe()]
    browser_reads, to_browser, from_browser, browser_writes = ends

    def take_pipes() -> None:
        # The browser looks for them at 3 and 4, where one of the ends may stand already.
        reads, writes = (fcntl.fcntl(end, fcntl.F_DUPFD, 16) for end in (browser_reads, browser_writes))
        os.dup2(reads, 3)
        os.dup2(writes, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen([program, "--headless", *_QUIET, f"--user-data-dir={profile}",
                                    "--remote-debugging-pipe"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   pass_fds=(3, 4), preexec_fn=take_pipes)
        try:
            os.close(browser_reads)
            os.close(browser_writes)
            yield _Browser(to_browser, from_browser)
        finally:
            os.close(to_browser)
            os.close(from_browser)
            process.terminate()
            process.wait()


def _has_scalars(address: str) -> bool:
    try:
        # To the loopback interface never through a proxy.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"{address}/data/plugin/scalars/tags", timeout=120) as response:
            return any(json.load(response).values())
    except (OSError, ValueError):  # not up yet
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Take the picture that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("log_dir", type=Path, metavar="LOGDIR", help="the folder that LRMonitor wrote")
    parser.add_argument("target", type=Path, metavar="OUT.png", help="the picture to write")
    parser.add_argument("--width", type=int, default=1280, help="width of the browser window in pixels")
    parser.add_argument("--height", type=int, default=1080, help="height of the browser window in pixels")
    arguments = parser.parse_args()
    if not arguments.log_dir.is_dir():
        parser.error(f"{arguments.log_dir} is not a folder; give the log_dir of a run.")
    with tensorboard_server(arguments.log_dir) as address:
        take_picture(f"{address}/?darkMode=false#timeseries", arguments.target, arguments.width, arguments.height)
    print(arguments.target)


if __name__ == "__main__":
    main()
