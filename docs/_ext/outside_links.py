"""Turn links that leave ``docs/`` into the path they name: the site holds only the pages.

On the repository's own pages the same links lead to files and folders.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_LINK = re.compile(r"\[([^\]]*)\]\(\.\./([^)\s]*)\)")
_INSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changes.md",
}


def rewrite(app: Sphinx, docname: str, source: list[str]) -> None:
    """Rewrite the links of one page."""
    source[0] = _LINK.sub(_replaced, source[0])


def _replaced(match: re.Match[str]) -> str:
    text, path = match.groups()
    inside = _INSIDE.get(path.partition("#")[0])
    if inside:
        return f"[{text}]({inside})"
    return f"{text} (`{path}`)" if text.strip("`") != path else f"`{path}`"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True}
