"""The origin of a network's weights, as far as their files state it."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realdeg.backbones import fetch_pretrained, find_pretrained
from realdeg.config import load_config
from realdeg.errors import ConfigError
from realdeg.utils.description import read_description
from realdeg.utils.files import sha256_file, weights_in

_LONGEST_CONFIG = 2**20  # characters
NOT_STATED = "not stated"
"""In the catalogue: the publisher states nothing."""


@dataclass(frozen=True)
class Origin:
    """The file that a network was read from, and its notes.

    Attributes:
        model: The file or config that the user named.
        file: The file of weights, or None.
        sha256: Its hash, or None.
        notes: Its metadata: the run that made it, or the file that it was converted from.
    """

    model: str
    file: Path | None = None
    sha256: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        source: str | os.PathLike[str],
        options: Mapping[str, Any] | None = None,
        scale: float | None = None,
    ) -> Origin:
        """Find the origin of the weights of a model.

        Args:
            source: Weights, or a config that names them.
            options: Dotted keys that override the config.
            scale: The requested scale; None: that of the config or the weights.
        """
        model = os.fspath(source)
        model = str(weights_in(model, "backbone") or model)
        if Path(model).is_file() and Path(model).suffix != ".py":
            return cls._read(model, Path(model))
        try:
            cfg: Mapping[str, Any] = load_config(model, options or {})
        except ConfigError:  # a registered type, checked when it is built
            chosen = {key.removeprefix("backbone."): v for key, v in (options or {}).items()}
            cfg = {"backbone": {"type": model, **chosen}}
        backbone = cfg.get("backbone") or {}
        if isinstance(backbone, str):
            return cls._read(model, Path(backbone))
        if backbone.get("pretrained") is not None:
            stated = backbone.get("scale") or cfg.get("scale")
            return cls._published(model, backbone, scale or stated)
        named = backbone.get("checkpoint")
        return cls(model) if named is None else cls._read(model, Path(str(named)))

    @classmethod
    def _published(cls, model: str, backbone: Mapping[str, Any], scale: float | None) -> Origin:
        """Return the origin of published weights, from the catalogue."""
        kind = str(backbone["type"]).rpartition(".")[2]  # without a scope
        entry = find_pretrained(kind, str(backbone["pretrained"]), scale)
        file = fetch_pretrained(entry)
        stated = entry.licence != NOT_STATED
        notes = {
            "source": entry.page,
            "trained_on": entry.trained_on,
            "licence": f"{entry.licence} ({entry.page})" if stated else None,
        }
        return cls(model, file, sha256_file(file), notes)

    @classmethod
    def _read(cls, model: str, file: Path) -> Origin:
        if not file.is_file():
            return cls(model)
        described = read_description(file)
        return cls(model, file, sha256_file(file), described.meta if described else {})

    def training_data(self) -> str | None:
        """Return the training data as stated by the config or publisher, or None."""
        text = self.notes.get("config")
        if not isinstance(text, str):
            return self.notes.get("trained_on") or None
        if len(text) > _LONGEST_CONFIG:
            return None
        try:
            lines = ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        for line in lines:
            if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "train_dataloader":
                return _dataset(line.value)
        return None


def _dataset(loader: ast.expr) -> str | None:
    """Return the source of ``dataset`` in ``dict(dataset=...)`` or ``{"dataset": ...}``."""
    if isinstance(loader, ast.Call):
        found = [item.value for item in loader.keywords if item.arg == "dataset"]
    elif isinstance(loader, ast.Dict):
        pairs = zip(loader.keys, loader.values, strict=True)
        found = [v for k, v in pairs if isinstance(k, ast.Constant) and k.value == "dataset"]
    else:
        found = []
    return ast.unparse(found[0]) if found else None
