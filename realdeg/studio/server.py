"""Serve the page on this machine alone, and nothing but the page."""

from __future__ import annotations

import errno
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, TypeAlias

from realdeg.errors import ConfigError, argument_name, as_given

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")

# What a browser may load: the page's own server, and what the page made itself.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:;"
    " style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:;"
    " media-src 'self' data: blob:; connect-src 'self' data: blob:; worker-src 'self' blob:;"
    " frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
# Routes of Gradio that the page does not use: they fetch other addresses, or show its inside.
_CLOSED = (
    *("/gradio_api/proxy=", "/gradio_api/file=http", "/gradio_api/file/http"),
    *("/gradio_api/vibe", "/gradio_api/undo-vibe", "/gradio_api/deep_link", "/gradio_api/dev"),
    *("/monitoring", "/svelte", "/login", "/gradio_api/profiling", "/gradio_api/run"),
)


class Gate:
    """Passes on what the page needs.

    Requests under another host name are refused: a foreign site could otherwise point a name of
    its own to this machine and read the page. Responses forbid the browser to load anything from
    elsewhere.

    Args:
        app: The application behind it.
        hosts: The names under which the page may be reached; None allows all.
    """

    def __init__(self, app: Application, hosts: tuple[str, ...] | None) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = _without_port(headers.get(b"host", b"").decode("latin-1"))
        path = str(scope["path"])
        if self._hosts is not None and host not in self._hosts:
            await _refuse(send, 421, f"this page is not served as {host[:80]!r}.")
        elif path.startswith(_CLOSED):
            await _refuse(send, 404, "there is no such page.")
        else:
            await self._app(scope, receive, _with_headers(send))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _with_headers(send: Send) -> Send:
    async def wrapped(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return wrapped


async def _refuse(send: Send, status: int, words: str) -> None:
    body = words.encode()
    kind = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": body})


def listen(host: str, port: int) -> socket.socket:
    """Open the port, before anything slow is imported.

    Args:
        host: The address to listen on.
        port: The port; 0: any free one.

    Raises:
        ConfigError: If the port is in use or may not be used, or there is no such address.
    """
    if not 0 <= port < 2**16:
        raise ConfigError(f"{argument_name('port')} is 0 to 65535, got {port}.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"there is no address {host}: {error.strerror or error}.") from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen()
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} of {host} is in use, perhaps by another studio: choose another one,"
                f" or any free one with {as_given(port=0)}."
            ) from error
        reason = error.strerror or error
        raise ConfigError(f"port {port} of {host} cannot be used: {reason}.") from error
    return opened


def application(folder: Path, hosts: tuple[str, ...] | None) -> Gate:
    """Return the page as an application.

    Args:
        folder: Where uploaded files and results lie; nothing outside of it is served.
        hosts: The names under which the page may be reached; None allows all.
    """
    # Read when Gradio is imported: no statistics and no version check.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    import fastapi
    import gradio

    from realdeg.studio.page import STYLE, build_page, theme
    from realdeg.studio.session import LARGEST_WEIGHTS

    page = build_page(folder)
    # Until it is set, Gradio takes any path of this machine that a request claims to have uploaded;
    # only its own launch() sets it.
    page.has_launched = True
    outer = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app = gradio.mount_gradio_app(
        outer,
        page,
        path="/",
        allowed_paths=[],
        max_file_size=LARGEST_WEIGHTS,
        show_error=True,
        ssr_mode=False,
        enable_monitoring=False,
        run_history=False,
        mcp_server=False,
        footer_links=[],
        theme=theme(),
        css=STYLE,
    )
    return Gate(app, hosts)


def serve(host: str, port: int, *, started: Callable[[str], object]) -> None:
    """Serve the page until the process is interrupted.

    Args:
        host: The address to listen on.
        port: The port; 0: any free one.
        started: Called with the page's address once it can be opened.

    Raises:
        ConfigError: If the port cannot be used.
    """
    with ExitStack() as stack:
        opened: socket.socket = stack.enter_context(listen(host, port))
        folder = stack.enter_context(_folder())
        app = application(Path(folder), LOOPBACK if host in LOOPBACK else None)
        import uvicorn

        shown = f"[{host}]" if ":" in host else host
        # An open page holds a connection for good, which must not keep the server from ending, nor
        # be reported as an error. Failed actions are logged where they fail.
        config = uvicorn.Config(
            app, log_level="critical", access_log=False, lifespan="on", timeout_graceful_shutdown=1
        )
        if threading.current_thread() is threading.main_thread():
            # Raised again after the server has ended; by default it would leave the folder behind.
            signal.signal(signal.SIGTERM, _interrupt)
        started(f"http://{shown}:{opened.getsockname()[1]}/")
        uvicorn.Server(config).run(sockets=[opened])


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _folder() -> AbstractContextManager[str]:
    return tempfile.TemporaryDirectory(prefix="realdeg_studio_", ignore_cleanup_errors=True)
