"""Model cards that describe a file of weights, in Markdown and JSON."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from realdeg.backbones.base import Backbone
from realdeg.errors import ConfigError, DataError, OutputError, as_given
from realdeg.evaluation.report import FORMAT as REPORT_FORMAT
from realdeg.export.card_text import to_markdown
from realdeg.export.foreign_text import sanitised
from realdeg.export.origin import NOT_STATED, Origin
from realdeg.export.portable import least_size
from realdeg.export.target import ExportedFile
from realdeg.utils.component import component_hash, plain
from realdeg.utils.files import atomic_path
from realdeg.version import __version__

FORMAT = "realdeg-card-1"
# Published architectures that spandrel opens under our keys (tests/export/test_safetensors.py).
SPANDREL: dict[str, str] = {
    "HAT": "HAT",
    "IPT": "IPT",
    "RCAN": "RCAN",
    "RRDBNet": "ESRGAN",
    "SPAN": "SPAN",
    "SRVGGNetCompact": "Compact",
    "SwinIR": "SwinIR",
}


def write_card(
    exported: ExportedFile,
    backbone: Backbone,
    *,
    origin: Origin | None = None,
    reports: Sequence[str | os.PathLike[str]] = (),
    licence: str | None = None,
    overwrite: bool = False,
) -> tuple[Path, Path]:
    """Write ``NAME.json`` and ``NAME.md`` next to an exported file ``NAME.onnx``.

    An existing card of the same network in another format is extended: it lists both files.
    Unknown facts are left out or called "not stated".

    Args:
        exported: The exported file.
        backbone: The network that was exported.
        origin: Where its weights come from.
        reports: ``report.json`` files of ``realdeg test``, whose results the card quotes.
        licence: The licence of the weights; None: not stated.
        overwrite: Replace a card of another network.

    Returns:
        The two paths.

    Raises:
        ConfigError: If a report belongs to other weights.
        DataError: If a report cannot be read.
        OutputError: If another card exists, or the folder cannot be written.
    """
    card = make_card(exported, backbone, origin=origin, reports=reports, licence=licence)
    json_path, markdown_path = card_paths(exported.path)
    former = check_card(exported.path, backbone, overwrite)
    if former is not None:
        _extend(card, former, stated=licence is not None)
    text = json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    for path, content in ((json_path, text), (markdown_path, to_markdown(card))):
        with atomic_path(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return json_path, markdown_path


def card_paths(target: Path) -> tuple[Path, Path]:
    """Return the paths of the card of a file."""
    return target.with_suffix(".json"), target.with_suffix(".md")


def check_card(target: Path, backbone: Backbone, overwrite: bool) -> dict[str, Any] | None:
    """Return an existing card of the same network, or None.

    Raises:
        OutputError: If something else exists and may not be replaced.
    """
    found = None
    for path in card_paths(target):
        if not path.exists():
            continue
        if path.suffix == ".json":
            found = _read_card(path)
        if found is not None and found["network"]["hash"] == network_hash(backbone):
            continue
        if not overwrite:
            raise OutputError(
                f"{path} is already there and is not a card of this network: choose another name,"
                f" replace it with {as_given(overwrite=True)}, or write no card with"
                f" {as_given(card=False)}."
            )
        found = None
    return found


def _read_card(path: Path) -> dict[str, Any] | None:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        ours = card["format"] == FORMAT and card["network"]["hash"] and card["files"]
        to_markdown(card)  # fails on a card that cannot be extended
        return sanitised(card) if ours else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _extend(card: dict[str, Any], former: dict[str, Any], stated: bool) -> None:
    name = card["files"][0]["name"]
    card["files"] += [item for item in former["files"] if item["name"] != name]
    card["files"].sort(key=lambda item: str(item["name"]))
    known = {json.dumps(item, sort_keys=True) for item in card["numbers"]}
    card["numbers"] += [
        item for item in former["numbers"] if json.dumps(item, sort_keys=True) not in known
    ]
    if not stated and former.get("licence", NOT_STATED) != NOT_STATED:
        card["licence"] = former["licence"]


def network_hash(backbone: Backbone) -> str:
    """Return the hash of this network in files and reports."""
    return component_hash(type(backbone).__name__, backbone.arguments, backbone.state_dict())


def make_card(
    exported: ExportedFile,
    backbone: Backbone,
    *,
    origin: Origin | None = None,
    reports: Sequence[str | os.PathLike[str]] = (),
    licence: str | None = None,
) -> dict[str, Any]:
    """Return a card as plain data; the arguments are those of :func:`write_card`."""
    name, digest = type(backbone).__name__, network_hash(backbone)
    notes = sanitised(dict(origin.notes)) if origin else {}
    describe = getattr(backbone, "describe", None)
    found = describe() if callable(describe) else None
    details = dict(found) if isinstance(found, Mapping) else {}
    card = {
        "format": FORMAT,
        "realdeg_version": __version__,
        "network": {
            "type": name,
            "arguments": plain(backbone.arguments),
            "parameters": sum(parameter.numel() for parameter in backbone.parameters()),
            "hash": digest,
            "details": sanitised(plain(details)),
        },
        "pictures": _pictures(backbone),
        "files": [_file(exported, backbone)],
        "weights_from": {
            "file": str(origin.file.name) if origin and origin.file else None,
            "sha256": origin.sha256 if origin else None,
            "source": notes.get("source"),
            "source_sha256": notes.get("source_sha256"),
        },
        "training": {
            "data": sanitised(origin.training_data()) if origin else None,
            # Only the name: the folders of whoever trained it are private.
            "config": re.split(r"[/\\]", str(notes.get("config_file") or ""))[-1] or None,
            "iterations": notes.get("iter"),
            "seed": notes.get("seed"),
            "sample": bool(notes.get("sample", False)),
            "realdeg_version": notes.get("realdeg_version"),
            "degradation": _mapping(notes.get("degradation")),
        },
        "numbers": [read_numbers(path, digest) for path in reports],
        "licence": licence or notes.get("licence") or details.get("licence") or NOT_STATED,
        "spandrel": SPANDREL.get(name) or _from_spandrel(name, details),
    }
    return card


def _mapping(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) else None


def _from_spandrel(name: str, details: Any) -> str | None:
    """Return the architecture of a network that was loaded by spandrel."""
    return details.get("architecture") if name == "SpandrelModel" else None


def _pictures(backbone: Backbone) -> dict[str, Any]:
    return {
        "scale": backbone.scale,
        "same_size": backbone.same_size,
        "colour": backbone.colour,
        "channels": backbone.channels,
        "value_range": backbone.value_range,
        "interpolated_first": backbone.upsample == "pre" and not backbone.same_size,
        "whole_image": backbone.whole_image,
        "size_multiple": backbone.size_multiple,
        "halo": backbone.halo,
    }


def _file(exported: ExportedFile, backbone: Backbone) -> dict[str, Any]:
    compared = exported.compared
    graph = exported.form != "safetensors"
    return {
        "name": exported.path.name,
        "form": exported.form,
        "bytes": exported.path.stat().st_size,
        "sha256": exported.sha256,
        "numbers": "float16" if exported.half else "float32",
        "value_range": 1.0 if graph else backbone.value_range,
        "size": list(exported.size) if exported.size else None,
        "least_size": least_size(backbone, exported.size) if graph else None,
        "opset": exported.opset,
        "difference": compared.difference if compared else None,
        "compared_on": [list(shape) for shape in compared.shapes] if compared else [],
    }


def read_numbers(path: str | os.PathLike[str], digest: str) -> dict[str, Any]:
    """Read the means and protocols of a report for a card.

    Args:
        path: ``report.json`` of ``realdeg test``.
        digest: The network's hash.

    Raises:
        DataError: If it cannot be read.
        ConfigError: If it belongs to other weights.
    """
    file = Path(path)
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        form = report["format"]
        mean, protocols = dict(report["mean"]), dict(report["protocols"])
        found = report["checkpoint_hash"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{file} is not a readable report ({error}): give the report.json that `realdeg test`"
            " wrote."
        ) from error
    if form != REPORT_FORMAT:
        raise DataError(f"{file} is a report of format {form!r}; expected {REPORT_FORMAT!r}.")
    if report.get("complete") is False:
        raise DataError(
            f"{file} is the report of an unfinished test ({report.get('unfinished')}): run"
            " `realdeg test` again and give the complete report."
        )
    if found is not None and found != digest:
        raise ConfigError(
            f"{file} is a report on weights with hash {found}, but this network has {digest}: give"
            " the report on these weights."
        )
    report = sanitised(report)
    return {
        "title": report.get("title"),
        "dataset": report.get("dataset"),
        "sample": bool(report.get("sample")),
        "notice": report.get("notice") or "",
        "same_weights": found is not None,
        "mean": sanitised(mean),
        "missing": _mapping(report.get("missing")) or {},
        "protocols": {name: _mapping(each) or {} for name, each in sanitised(protocols).items()},
    }
