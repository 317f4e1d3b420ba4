"""Open the page in which degradations, cameras and networks are tried out."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from importlib.util import find_spec

from realdeg.errors import ConfigError

HOST = "127.0.0.1"
PORT = 7860


def open_studio(
    host: str = HOST,
    port: int = PORT,
    *,
    browser: bool = False,
    started: Callable[[str], object] = print,
) -> None:
    """Serve the studio's page until the process is interrupted, as ``realdeg studio`` does.

    The page reads no file but those that are loaded in it, and asks no other machine for anything;
    only a published network that is not at hand is fetched when it is used.

    Args:
        host: The address to listen on. With another one than this machine's own (127.0.0.1),
            everyone who reaches it can use the page; it has no password.
        port: The port; 0: any free one.
        browser: Open the page in the browser.
        started: Called with the page's address.

    Raises:
        ConfigError: If the extra ``realdeg[studio]`` is not installed, or the port cannot be used.

    Example:
        >>> import realdeg
        >>> realdeg.open_studio(port=7861)  # doctest: +SKIP
    """
    if find_spec("gradio") is None:
        raise ConfigError(
            "the studio needs Gradio, which is not installed: pip install realdeg[studio]."
        )
    from realdeg.studio.server import serve

    def opened(address: str) -> None:
        started(address)
        if browser:
            webbrowser.open(address)

    serve(host, port, started=opened)
