"""Where the weights of a network come from, as far as their files say."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realdeg.config import load_config
from realdeg.config.weights import read_header
from realdeg.errors import ConfigError
from realdeg.utils.files import sha256_file


@dataclass(frozen=True)
class Origin:
    """The file that a network was read from, and its notes.

    Attributes:
        model: What the user named: a file or a config.
        file: The file of weights, or None.
        sha256: Its hash, or None.
        notes: The notes inside it: the run that made it, or the file that it was converted from.
    """

    model: str
    file: Path | None = None
    sha256: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, source: str | os.PathLike[str], options: Mapping[str, Any] | None = None) -> Origin:
        """Find out where the weights of a model come from.

        Args:
            source: What ``realdeg export`` was given: weights, or a config that names them.
            options: Dotted keys laid over the config.
        """
        model = os.fspath(source)
        if Path(model).is_file() and Path(model).suffix != ".py":
            return cls._read(model, Path(model))
        try:
            backbone = load_config(model, options or {}).get("backbone")
        except ConfigError:  # a registered type; whoever builds it says whether it is one
            return cls(model)
        named = backbone if isinstance(backbone, str) else (backbone or {}).get("checkpoint")
        return cls(model) if named is None else cls._read(model, Path(str(named)))

    @classmethod
    def _read(cls, model: str, file: Path) -> Origin:
        if not file.is_file():
            return cls(model)
        header = read_header(file)
        return cls(model, file, sha256_file(file), header[1] if header else {})

    def training_data(self) -> str | None:
        """Return the training's data set as its config says it, None where that is not known."""
        text = self.notes.get("config")
        if not isinstance(text, str):
            return None
        try:
            lines = ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError):
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
