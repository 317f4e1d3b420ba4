"""The target file of an export and its result."""

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
    """An exported file.

    Attributes:
        path: Where it was written.
        form: ``"safetensors"``, ``"onnx"`` or ``"torch-export"``.
        sha256: The file's hash.
        size: The only input height and width; None: any size.
        compared: The comparison with the network; None: not compared.
        opset: The ONNX operator set version; None for other formats.
        half: Whether the weights are stored in half precision.
        files: The file, and those of its model card if one was written.
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
    """Refuse a wrong suffix, a folder, or an existing file.

    Args:
        path: The file to write.
        form: One of :data:`SUFFIXES`.
        overwrite: Whether an existing file may be replaced.

    Raises:
        OutputError: With what to do.
    """
    target, suffix = Path(path), SUFFIXES[form]
    if target.suffix.lower() != suffix:
        raise OutputError(f"{form} writes a {suffix} file, got {target}: change its suffix.")
    if target.is_dir():
        raise OutputError(f"{target} is a folder: name a file in it.")
    check_replaceable(target, overwrite)
    return target
