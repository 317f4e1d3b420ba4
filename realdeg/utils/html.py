"""HTML in which text cannot become markup: whatever is not built here is escaped."""

from __future__ import annotations

import html
import json
from typing import Any

_EMPTY = ("input", "img", "meta", "br", "col")


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: object) -> Markup:
    """Return an element.

    Args:
        name: The element.
        *content: Strings are escaped, :class:`Markup` is inserted, None is left out, and lists are
            flattened.
        **attributes: ``class_`` is ``class``, and underscores are hyphens. False and None leave an
            attribute out, True gives it without a value.

    Example:
        >>> tag("p", "a < b", class_="note")
        '<p class="note">a &lt; b</p>'
    """
    written = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        label = key.rstrip("_").replace("_", "-")
        written.append(label if value is True else f'{label}="{html.escape(str(value))}"')
    head = " ".join([name, *written])
    return Markup(f"<{head}>" if name in _EMPTY else f"<{head}>{join(*content)}</{name}>")


def join(*content: object) -> Markup:
    """Return content one after another, escaped unless it is markup."""
    parts = []
    for item in content:
        if isinstance(item, Markup):
            parts.append(str(item))
        elif isinstance(item, list | tuple):
            parts.append(str(join(*item)))
        elif item is not None:
            parts.append(html.escape(str(item)))
    return Markup("".join(parts))


def data_block(data: Any, name: str) -> Markup:
    """Return plain data as a JSON block that a script reads by its id.

    A browser ends a script at ``</script`` wherever that stands, so ``<`` is written as an escape.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return tag("script", Markup(safe), type="application/json", id=name)
