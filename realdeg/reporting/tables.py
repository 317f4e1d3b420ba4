"""Tables that a reader can copy as CSV and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from realdeg.utils.html import Markup, tag
from realdeg.utils.tables import csv_table, latex_table

_NUMBER = re.compile(r"[-+−]?(\d|∞)")


@dataclass(frozen=True)
class DataTable:
    """A table.

    Attributes:
        name: Its id in the page and the stem of saved files: letters, digits and hyphens.
        caption: The line above it.
        header: The headings.
        rows: The cells, one per heading; numbers are text as it shall be read.
        best: Places (row, column) to emphasise.
    """

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: frozenset[tuple[int, int]] = frozenset()

    def csv(self) -> str:
        """Return the table as CSV, safe to open in a spreadsheet."""
        return csv_table(self.header, self.rows)

    def latex(self) -> str:
        """Return the table as LaTeX for the package booktabs."""
        return latex_table(self.header, self.rows, self.caption)

    def html(self) -> Markup:
        """Return the table with buttons that copy and save it."""
        numeric = [self._numeric(index) for index in range(len(self.header))]
        head = [
            tag("th", text, scope="col", class_="number" if right else None)
            for text, right in zip(self.header, numeric, strict=True)
        ]
        body = []
        for number, row in enumerate(self.rows):
            cells = []
            for column, (text, right) in enumerate(zip(row, numeric, strict=True)):
                style = " ".join(
                    word
                    for word, holds in (
                        ("number", right),
                        ("best", (number, column) in self.best),
                    )
                    if holds
                )
                if column == 0:
                    cells.append(tag("th", text, scope="row", class_=style or None))
                else:
                    cells.append(tag("td", text, class_=style or None))
            body.append(tag("tr", cells))
        table = tag(
            "table", tag("caption", self.caption), tag("thead", tag("tr", head)), tag("tbody", body)
        )
        buttons = [
            tag(
                "button",
                f"{verb} {kind}",
                type="button",
                data_table=self.name,
                data_kind=kind.lower(),
                data_action=verb.lower(),
                aria_label=f"{verb} {kind}: {self.caption}",
            )
            for kind in ("CSV", "LaTeX")
            for verb in ("Copy", "Save")
        ]
        bar = tag("div", buttons, class_="tools")
        # A wide table scrolls by itself, which the keyboard must be able to do.
        scroll = tag(
            "div", table, class_="scroll", tabindex="0", role="region", aria_label=self.caption
        )
        return tag("div", scroll, bar, class_="table", id=self.name)

    def _numeric(self, column: int) -> bool:
        cells = [row[column] for row in self.rows if row[column] not in ("", "–")]
        return column > 0 and bool(cells) and all(_NUMBER.match(cell) for cell in cells)
