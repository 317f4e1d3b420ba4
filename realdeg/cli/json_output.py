"""``--json``: one JSON document on stdout, and everything else on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any


def add_json(parser: argparse.ArgumentParser, schema: str) -> None:
    """Add ``--json``.

    Args:
        parser: The command's parser.
        schema: The name of the document's format, which it states under ``format``.
    """
    parser.add_argument(
        "--json",
        action="store_true",
        help=f"print the result as JSON ({schema}) and nothing else on stdout",
    )


@contextmanager
def stdout_for_json(wanted: bool) -> Iterator[None]:
    """Send what the block prints to stderr if JSON is to be the only thing on stdout.

    Args:
        wanted: Whether ``--json`` was given.
    """
    if not wanted:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def print_json(document: Mapping[str, Any]) -> None:
    """Print plain data as JSON; NaN and infinity, which JSON lacks, are refused.

    Args:
        document: The data.

    Raises:
        ValueError: If a number is not finite.
    """
    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
