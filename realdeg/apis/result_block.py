"""What a notebook shows of a fitted camera or a fine-tuned network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from realdeg.utils.durations import format_duration
from realdeg.utils.notebook import Table, html_block, picture_file

_MOST_PICTURES = 4


class GuidedResult(Protocol):
    """What the results of ``fit`` and ``finetune`` have in common."""

    @property
    def folder(self) -> Path:
        """Where everything was written."""

    @property
    def stopped(self) -> str:
        """Why the training ended."""

    @property
    def seconds(self) -> float:
        """How long everything took."""

    @property
    def report(self) -> Mapping[str, Any]:
        """The content of ``report.json``."""


def result_block(result: GuidedResult, made: str, table: Table) -> str:
    """Return a folder's numbers and its first pictures as HTML.

    Args:
        result: The result.
        made: What was made.
        table: The numbers on held-out images.
    """
    listed = [str(path) for path in result.report.get("pictures", ()) if path.endswith(".png")]
    return html_block(
        f"{result.folder}: {made}",
        {
            "as a degradation": result.report.get("camera"),
            "training": result.stopped,
            "time": format_duration(result.seconds),
        },
        tables=[table],
        pictures=[
            one
            for path in listed[:_MOST_PICTURES]
            for one in picture_file(result.folder / path, Path(path).stem)
        ],
    )
