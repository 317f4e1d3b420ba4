"""The catalogue as text: one line for each name, and the table of the documentation."""

from __future__ import annotations

from typing import Any

from realdeg.backbones.pretrained.cache import path_of
from realdeg.backbones.pretrained.catalogue import list_pretrained
from realdeg.backbones.pretrained.entry import MEASURED, RGB_BORDER, Y_BORDER, Pretrained
from realdeg.utils.tables import columns, markdown_table

# Marks of the common protocols; any other is "(other)".
_MARKS = {Y_BORDER: "", RGB_BORDER: " (RGB)", MEASURED: " (here)"}
_HEAD = (
    *("network", "`pretrained=`", "scales", "Set5, dB"),
    *("trained on", "licence", "file", "hash"),
)
_HASHES = {"file": "file", "publisher": "name", "others": "others"}


def lines(pattern: str = "") -> list[str]:
    """Return one line for each name of published weights.

    Args:
        pattern: Only networks and names that contain it.

    Returns:
        Network, name, scales, licence, and whether the files are on this machine, are
        downloaded when used, or have to be downloaded by hand.
    """
    rows = [
        (
            kind,
            name,
            ", ".join(f"x{scale}" for entry in entries for scale in entry.scales),
            entries[0].licence,
            _state(entries),
        )
        for (kind, name), entries in _by_name(pattern).items()
    ]
    return columns(rows)


def records(pattern: str = "") -> list[dict[str, Any]]:
    """Return published weights as plain data, one record for each name.

    Args:
        pattern: Only networks and names that contain it.

    Returns:
        Records of ``name`` (what a network is asked for by: ``SPAN:ntire2024``), ``network``,
        ``weights``, ``scales``, ``licence``, ``page``, ``trained_on``, and ``files``: ``file``,
        ``scales``, ``url`` (None: by hand from ``page``), ``sha256``, ``size`` in bytes, ``path``
        on this machine and whether it is ``here``.
    """
    return [
        {
            "name": entries[0].reference,
            "network": kind,
            "weights": name,
            "scales": sorted(scale for entry in entries for scale in entry.scales),
            "licence": entries[0].licence,
            "page": entries[0].page,
            "trained_on": entries[0].trained_on,
            "files": [
                {
                    "file": entry.file,
                    "scales": list(entry.scales),
                    "url": entry.url,
                    "sha256": entry.sha256,
                    "size": entry.size,
                    "path": str(path_of(entry)),
                    "here": path_of(entry).is_file(),
                }
                for entry in entries
            ],
        }
        for (kind, name), entries in _by_name(pattern).items()
    ]


def table(pattern: str = "") -> str:
    """Return the table of published weights in Markdown.

    Args:
        pattern: Only networks and names that contain it.
    """
    rows = (_cells(entries) for entries in _by_name(pattern).values())
    return "\n".join(markdown_table(_HEAD, rows, numbers=False)) + "\n"


def _cells(entries: list[Pretrained]) -> tuple[str, ...]:
    first = entries[0]
    scales = ", ".join(f"x{scale}" for entry in entries for scale in entry.scales)
    page = f"[fetched]({first.page})" if first.url else f"[by hand]({first.page})"
    known = dict.fromkeys(
        _HASHES[entry.hash_from] if entry.hash_from else "git" if entry.git_blob else "none"
        for entry in entries
    )
    return (
        first.type,
        f"`{first.name}`",
        scales,
        _numbers(entries),
        first.trained_on,
        first.licence,
        page,
        ", ".join(known),
    )


def _numbers(entries: list[Pretrained]) -> str:
    values = [psnr for entry in entries for psnr in (entry.set5 or (None,) * len(entry.scales))]
    if not any(values):
        return ""
    mark = _MARKS.get(entries[0].protocol, " (other)")
    return " / ".join("–" if psnr is None else f"{psnr:.2f}" for psnr in values) + mark


def _by_name(pattern: str) -> dict[tuple[str, str], list[Pretrained]]:
    groups: dict[tuple[str, str], list[Pretrained]] = {}
    for entry in list_pretrained(pattern):
        groups.setdefault((entry.type, entry.name), []).append(entry)
    return groups


def _state(entries: list[Pretrained]) -> str:
    here = sum(path_of(entry).is_file() for entry in entries)
    if here == len(entries):
        return "here"
    away = "fetched when used" if entries[0].url else f"by hand from {entries[0].page}"
    return f"{away}, {here} of {len(entries)} here" if here else away
