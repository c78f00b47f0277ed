"""Take a picture of what a real TensorBoard shows for a log folder.

    python docs/make_tensorboard_picture.py LOGDIR OUT.png [--width 1280] [--height 1150]

Starts a TensorBoard server on the loopback interface, waits until it has read the folder, opens its
time-series page in headless Chromium, and saves what is seen there once the curves are drawn. Needs
tensorboard, a Chromium and its driver (Debian: ``apt-get install chromium chromium-driver``).
"""
from __future__ import annotations

import argparse
import base64
import contextlib
import json
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
_ALL_DRAWN = """
const cards = [...document.querySelectorAll('scalar-card')];
return cards.length > 0 && cards.every(card => card.querySelector('line-chart canvas, line-chart svg'));
"""


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
        RuntimeError: there is no Chromium or no driver for it, or nothing was drawn.
    """
    with _browser(width, height) as session:
        _ask(f"{session}/url", {"url": address})
        # The page reads its settings when it starts: set them, then load it again.
        _run_script(session, f"localStorage.setItem('_tb_global_settings', JSON.stringify({json.dumps(_SETTINGS)}))")
        _ask(f"{session}/refresh", {})
        _wait_until_drawn(session)
        picture = base64.b64decode(_ask(f"{session}/screenshot"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(picture)


@contextlib.contextmanager
def _browser(width: int, height: int) -> Iterator[str]:
    """Start a browser; gives the address of its WebDriver session."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        raise RuntimeError(f"This needs chromedriver and one of {', '.join(_BROWSERS)}; install Chromium and its "
                           f"driver.")
    port = _free_port()
    process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            options = {"binary": browser, "args": ["--headless", *_QUIET, f"--user-data-dir={profile}",
                                                   f"--window-size={width},{height}"]}
            _wait_for_port(port)
            wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
            session = f"http://127.0.0.1:{port}/session"
            session += "/" + _ask(session, wanted)["sessionId"]
            try:
                yield session
            finally:
                _ask(session, method="DELETE")
    finally:
        process.terminate()
        process.wait()


def _wait_until_drawn(session: str, wait: float = 60.0) -> None:
    """Wait until every chart on the page has its lines, and a little longer for the last of them."""
    deadline = time.monotonic() + wait
    while not _run_script(session, _ALL_DRAWN):
        if time.monotonic() > deadline:
            raise RuntimeError(f"TensorBoard's page has drawn no curves within {wait:g} s.")
        time.sleep(0.5)
    time.sleep(3.0)


def _run_script(session: str, script: str) -> Any:
    return _ask(f"{session}/execute/sync", {"script": script, "args": []})


def _ask(address: str, body: Optional[Any] = None, method: Optional[str] = None) -> Any:
    """Send a request to a server on this machine and return the value that it answers with."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    # To the loopback interface never through a proxy.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as response:
        answer = json.load(response)
    return answer["value"] if "value" in answer else answer


def _wait_for_port(port: int, wait: float = 30.0) -> None:
    deadline = time.monotonic() + wait
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return
        time.sleep(0.1)
    raise RuntimeError(f"chromedriver did not answer within {wait:g} s.")


def _has_scalars(address: str) -> bool:
    try:
        return any(_ask(f"{address}/data/plugin/scalars/tags").values())
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
    parser.add_argument("--height", type=int, default=1150, help="height of the browser window in pixels")
    arguments = parser.parse_args()
    if not arguments.log_dir.is_dir():
        parser.error(f"{arguments.log_dir} is not a folder; give the log_dir of a run.")
    with tensorboard_server(arguments.log_dir) as address:
        take_picture(f"{address}/?darkMode=false#timeseries", arguments.target, arguments.width, arguments.height)
    print(arguments.target)


if __name__ == "__main__":
    main()
