"""A server that gives one file, with the faults that a test asks for, and what it publishes."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from realdeg.backbones.pretrained import Pretrained
from realdeg.backbones.pretrained import download as downloading
from realdeg.backbones.pretrained import fetch as fetching
from realdeg.backbones.pretrained.cache import path_of

BYTES = bytes(range(256)) * 4000  # longer than what one read takes
DIGEST = hashlib.sha256(BYTES).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves one file with the faults that a test asks for, and counts what it sends."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.tag, self.ranges = BYTES, '"one"', True
        self.faults, self.requests, self.sent = [], [], 0
        self.stalled, self.hold = threading.Event(), threading.Event()
        self.hold.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/net.pth"


class Handler(BaseHTTPRequestHandler):
    def _give_without_length(self, body, more):
        """Give the file and more of it, and say nowhere how much that is."""
        self.end_headers()
        try:
            for part in (body, *[body] * more):
                self.wfile.write(part)
                self.server.sent += len(part)
        except OSError:
            pass

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append({key.lower(): value for key, value in self.headers.items()})
        fault = server.faults.pop(0) if server.faults else None
        if isinstance(fault, int):
            self.send_error(fault)
            return
        if isinstance(fault, str) and fault.startswith("to "):
            self.send_response(302)
            self.send_header("Location", fault[3:])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "silence":
            threading.Event().wait(1.0)
            return
        server.hold.wait(10)
        start, asked = 0, self.headers.get("Range")
        if asked and server.ranges and self.headers.get("If-Range") == server.tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(server.data):
                self.send_error(416)
                return
        body = server.data[start:]
        self.send_response(206 if start else 200)
        if start:
            last = len(server.data) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(server.data)}")
        self.send_header("Content-Type", "text/html" if fault == "page" else "binary/octet-stream")
        if server.tag:
            self.send_header("ETag", server.tag)
        if fault in ("endless", "more"):
            self._give_without_length(body, 1 if fault == "more" else 200)
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault in ("cut", "stall"):
            body = body[: len(body) // 2]
        self.wfile.write(body)
        server.sent += len(body)
        if fault == "stall":
            self.wfile.flush()
            server.stalled.set()
            threading.Event().wait(20)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("REALDEG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("REALDEG_OFFLINE", raising=False)
    # Waiting a second before another try is for servers far away.
    monkeypatch.setattr(fetching, "download", partial(downloading.download, pause=0.0))
    return tmp_path / "home"


@pytest.fixture
def entry(server):
    return Pretrained(
        type="VDSR",
        name="test",
        scales=(2,),
        page="https://example.org/page",
        licence="MIT",
        trained_on="",
        file="net.pth",
        url=server.url,
        arguments={"depth": 3, "width": 4},
        sha256=DIGEST,
        hash_from="file",
        size=len(BYTES),
    )


def part_of(entry):
    place = path_of(entry)
    return place.with_name(f"{place.name}.part")
