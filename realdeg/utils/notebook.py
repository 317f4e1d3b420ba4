"""How objects show themselves in a notebook: one small block of HTML, without scripts.

Notebooks call ``_repr_html_``. Whatever a name or a file says is escaped. Colours are those of
the notebook, so that blocks are readable in light and dark ones.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from realdeg.utils.html import Markup, tag
from realdeg.utils.tap_colours import tap_colours

_MOST_BYTES = 1 << 20
_MOST_ROWS = 20
_MOST_LETTERS = 120
_ENLARGED = 96
_LINE = "1px solid #8886"
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Table:
    """A table of a block.

    Args:
        header: The headings; none for two columns of names and values.
        rows: The cells; after twenty rows the number of the others is stated.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Picture:
    """A small picture of a block.

    Args:
        png: The content of a PNG file.
        caption: What it shows.
    """

    png: bytes
    caption: str


def html_block(
    title: str,
    facts: Mapping[str, object] | None = None,
    *,
    tables: Iterable[Table] = (),
    pictures: Iterable[Picture] = (),
    notes: Iterable[str] = (),
) -> str:
    """Return what ``_repr_html_`` returns.

    Args:
        title: The first line, in bold.
        facts: Names and values, as a table without headings; None and empty values are left out.
        tables: More tables.
        pictures: Pictures, side by side.
        notes: Sentences below.

    Example:
        >>> html_block("<b>", notes=["fine"])
        '<div style="font-size:90%"><strong>&lt;b&gt;</strong><div>fine</div></div>'
    """
    listed = [(name, value) for name, value in (facts or {}).items() if value not in (None, "")]
    parts: list[Markup] = [tag("strong", title)]
    if listed:
        parts.append(_table(Table((), listed)))
    parts += [_table(table) for table in tables if table.rows]
    shown = [_figure(picture) for picture in pictures]
    if shown:
        parts.append(tag("div", shown, style="display:flex;flex-wrap:wrap;gap:8px"))
    parts += [tag("div", note) for note in notes]
    return str(tag("div", parts, style="font-size:90%"))


def kernel_picture(kernel: Any, caption: str) -> Picture:
    """Draw a kernel: zero is white, positive taps are red, negative ones blue.

    Args:
        kernel: A tensor or an array, (k, k).
        caption: What it is.
    """
    values = np.asarray(kernel.detach().cpu() if hasattr(kernel, "detach") else kernel, np.float64)
    pixels = tap_colours(values)
    repeat = max(1, -(-_ENLARGED // max(pixels.shape[0], 1)))
    return Picture(png_of(pixels.repeat(repeat, 0).repeat(repeat, 1)), caption)


def png_of(pixels: np.ndarray) -> bytes:
    """Return RGB pixels, H x W x 3 and ``uint8``, as the content of a PNG file."""
    import cv2  # slow to import

    return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes())


def picture_file(path: str | os.PathLike[str], caption: str) -> list[Picture]:
    """Return a PNG file of at most 1 MiB as a picture; none where there is no such file."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError:
        return []
    fits = len(content) <= _MOST_BYTES and content.startswith(_PNG)
    return [Picture(content, caption)] if fits else []


def in_short(value: object) -> str:
    """Return a value as a few words: arrays and tensors by their shape, long texts cut.

    Example:
        >>> in_short(np.zeros((3, 3))), in_short({"sigma": (1, 2)})
        ('3x3 array', "{'sigma': (1, 2)}")
    """
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        text = f"{'x'.join(str(int(side)) for side in shape)} array"
    elif hasattr(value, "parameters") and hasattr(value, "state_dict"):
        text = type(value).__name__
    elif isinstance(value, list | tuple) and any(hasattr(one, "state_dict") for one in value):
        text = f"[{', '.join(in_short(one) for one in value)}]"
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 3]}..."


def arguments_in_short(arguments: Mapping[str, Any]) -> str:
    """Return arguments as in a call: ``sigma=5, scale=2``."""
    return ", ".join(
        f"{name}={in_short(value) if not isinstance(value, str) else repr(value)}"
        for name, value in arguments.items()
    )


def _table(table: Table) -> Markup:
    style = "text-align:left;padding:1px 8px;border:0"
    lines = [
        tag("tr", [tag("td", in_short(cell), style=style) for cell in row])
        for row in table.rows[:_MOST_ROWS]
    ]
    if len(table.rows) > _MOST_ROWS:
        rest = f"and {len(table.rows) - _MOST_ROWS} more"
        lines.append(tag("tr", tag("td", rest, style=style)))
    head = [tag("th", name, style=f"{style};border-bottom:{_LINE}") for name in table.header]
    return tag(
        "table",
        tag("thead", tag("tr", head)) if head else None,
        tag("tbody", lines),
        style=f"border-collapse:collapse;margin:4px 0;border-top:{_LINE}",
    )


def _figure(picture: Picture) -> Markup:
    source = f"data:image/png;base64,{base64.b64encode(picture.png).decode('ascii')}"
    image = tag("img", src=source, alt=picture.caption, style="max-width:320px")
    caption = tag("figcaption", picture.caption, style="font-size:85%")
    return tag("figure", image, caption, style="margin:4px 0")
