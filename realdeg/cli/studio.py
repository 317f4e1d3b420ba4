"""``realdeg studio``: try out degradations, cameras and networks in a browser."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; another one than 127.0.0.1 lets others use the page, which has"
        " no password",
    )
    parser.add_argument("--port", type=int, default=7860, help="port; 0: any free one (7860)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def run(args: argparse.Namespace) -> int:
    """Serve the page until it is interrupted; return 0."""
    from realdeg.apis.studio import open_studio

    def started(address: str) -> None:
        print(f"realdeg studio: {address} (Ctrl-C ends it)", flush=True)

    open_studio(args.host, args.port, browser=args.open, started=started)
    return 0
