"""Text tables: Markdown for files, columns for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_BAR = re.compile(r"(?<!\\)\|")  # would begin another cell


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True
) -> list[str]:
    r"""Return the lines of a Markdown table.

    Args:
        header: The headings.
        rows: The cells, one per heading.
        numbers: Align all columns but the first to the right.

    Example:
        >>> markdown_table(["network", "dB"], [["a|b", "31.50"]])
        ['| network | dB |', '| --- | ---: |', '| a\\|b | 31.50 |']
    """
    rule = ["---", *(["---:" if numbers else "---"] * (len(header) - 1))]
    return [_row(header), "| " + " | ".join(rule) + " |", *map(_row, rows)]


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows of equal length as lines with aligned columns, two spaces apart.

    Example:
        >>> columns([("psnr", "31.50"), ("ms_ssim", "0.91")])
        ['psnr     31.50', 'ms_ssim  0.91']
    """
    table = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_BAR.sub(r"\\|", cell) for cell in cells) + " |"
