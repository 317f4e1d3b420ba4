"""Text tables: Markdown, CSV and LaTeX for files, columns for a terminal."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_LATEX = {
    **{letter: f"\\{letter}" for letter in "#$%&_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": "$-$",
    "∞": r"$\infty$",
}
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")
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


def csv_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Return a table as comma-separated values with a line of headings.

    Numbers are written in full; None is an empty cell. A text that a spreadsheet would take for a
    formula has an apostrophe before it.

    Example:
        >>> csv_table(["network", "dB"], [["a,b", 31.5], ["c", None]])
        'network,dB\n"a,b",31.5\nc,\n'
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_cell(name) for name in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def latex_table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    r"""Return a table as a LaTeX ``table`` with the rules of the package ``booktabs``.

    Args:
        header: The headings.
        rows: The cells as text, one per heading; special characters are escaped.
        caption: The caption, escaped as well; empty for none.

    Example:
        >>> print(latex_table(["network", "dB"], [["a_b", "31.50"]]))
        \begin{table}
          \centering
          \begin{tabular}{lr}
            \toprule
            network & dB \\
            \midrule
            a\_b & 31.50 \\
            \bottomrule
          \end{tabular}
        \end{table}
        <BLANKLINE>
    """
    lines = [r"\begin{table}", r"  \centering"]
    if caption:
        lines.append(rf"  \caption{{{latex_text(caption)}}}")
    lines += [rf"  \begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"    \toprule"]
    lines += [_latex_row(header), r"    \midrule", *map(_latex_row, rows), r"    \bottomrule"]
    return "\n".join([*lines, r"  \end{tabular}", r"\end{table}", ""])


def latex_text(text: str) -> str:
    r"""Escape what LaTeX would take for a command.

    Example:
        >>> latex_text("50 % of a_b")
        '50 \\% of a\\_b'
    """
    return "".join(_LATEX.get(letter, letter) for letter in text)


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
    # A line break would end the row.
    return "| " + " | ".join(_BAR.sub(r"\\|", " ".join(x.splitlines())) for x in cells) + " |"


def _cell(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return value if _NUMBER.fullmatch(value) else f"'{value}"
    return value


def _latex_row(cells: Sequence[str]) -> str:
    return f"    {' & '.join(map(latex_text, cells))} \\\\"
