"""Where an export goes, and what it came to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from realdeg.errors import OutputError
from realdeg.export.portable import Comparison, Size
from realdeg.utils.files import check_replaceable

Form: TypeAlias = Literal["safetensors", "onnx", "torch-export"]

SUFFIXES: dict[Form, str] = {"safetensors": ".safetensors", "onnx": ".onnx", "torch-export": ".pt2"}


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written.

    Attributes:
        path: The file.
        form: ``"safetensors"``, ``"onnx"`` or ``"torch-export"``.
        sha256: The file's hash.
        size: Height and width of the only input that it takes; None: any.
        compared: How it was compared with the network; None: it was not.
        opset: ONNX's version of operators; None for other forms.
        half: Whether the weights are stored in half precision.
        files: The file, and those of its model card where one was written.
    """

    path: Path
    form: Form
    sha256: str
    size: Size | None = None
    compared: Comparison | None = None
    opset: int | None = None
    half: bool = False
    files: tuple[Path, ...] = ()


def check_target(path: str | os.PathLike[str], form: Form, overwrite: bool) -> Path:
    """Refuse a file that would not be what its name says, or replace another.

    Args:
        path: The file to write.
        form: One of :data:`SUFFIXES`.
        overwrite: Whether it may replace a file.

    Raises:
        OutputError: With what to do.
    """
    target, suffix = Path(path), SUFFIXES[form]
    if target.suffix.lower() != suffix:
        raise OutputError(f"{form} makes a {suffix} file, got {target}: end its name in {suffix}.")
    if target.is_dir():
        raise OutputError(f"{target} is a folder: name a file in it.")
    check_replaceable(target, overwrite)
    return target
