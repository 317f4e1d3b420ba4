"""Export a network with a model card."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from realdeg.apis.create import Source, create_backbone
from realdeg.backbones.base import Backbone
from realdeg.errors import ConfigError, OutputError, argument_name, as_given
from realdeg.export.card import check_card, network_hash, read_numbers, write_card
from realdeg.export.onnx import OPSET, export_onnx
from realdeg.export.origin import Origin
from realdeg.export.portable import Size
from realdeg.export.program import export_program
from realdeg.export.safetensors import export_safetensors
from realdeg.export.target import SUFFIXES, ExportedFile, Form, check_target
from realdeg.utils.files import remove_left_overs


def export_backbone(
    backbone: Source | Backbone,
    path: str | os.PathLike[str],
    *,
    to: Form | None = None,
    scale: float | None = None,
    same_size: bool | None = None,
    options: Mapping[str, Any] | None = None,
    size: Size | None = None,
    half: bool = False,
    opset: int | None = None,
    card: bool = True,
    reports: Sequence[str | os.PathLike[str]] = (),
    licence: str | None = None,
    overwrite: bool = False,
) -> ExportedFile:
    """Export a network for other programs, with a model card, as ``realdeg export`` does.

    Args:
        backbone: Anything that :func:`realdeg.create_backbone` takes, with weights.
        path: The file to write.
        to: The format: ``"safetensors"``, ``"onnx"`` or ``"torch-export"``; None: chosen by the
            suffix (``.safetensors``, ``.onnx``, ``.pt2``).
        scale: The scale factor; None: that of the weights.
        same_size: Whether LR lies on the HR grid; None: as the weights state.
        options: Dotted keys that override the config
            (``{"backbone.checkpoint": "x.safetensors"}``).
        size: The only input height and width in pixels; not for safetensors. None: any size.
        half: Store float16; safetensors only.
        opset: The ONNX operator set version; None: 18.
        card: Write a model card next to the file.
        reports: ``report.json`` files of ``realdeg test``, quoted in the card.
        licence: The licence of the weights, for the card; None: not stated.
        overwrite: Replace existing files.

    Returns:
        The exported file; its ``files`` include the two files of the card.

    Raises:
        ConfigError: If the name is unknown, no weights are named, an argument is not for the
            format, or a package is missing.
        CheckpointError: If the weights cannot be read.
        DataError: If a report cannot be read.
        GeometryError: If scale or grid differ from those of the weights.
        OutputError: If a file already exists or cannot be written, or its output differs from the
            network's.

    Example:
        >>> import realdeg
        >>> realdeg.export_backbone("work_dirs/vdsr", "vdsr.onnx")  # doctest: +SKIP
    """
    form = _form(path) if to is None else to
    _check_options(form, size, half, opset)
    target = check_target(path, form, overwrite)
    if not card and (reports or licence):
        raise ConfigError(
            f"{argument_name('reports')} and {argument_name('licence')} belong in the model card,"
            f" and {as_given(card=False)} writes none."
        )
    remove_left_overs(target.parent)
    built = create_backbone(backbone, scale, same_size, trained=True, options=options).eval()
    if isinstance(backbone, str | os.PathLike):
        origin = Origin.of(backbone, options, scale)
    else:
        origin = Origin(type(built).__name__)
    if card:  # refused before the work, not after it
        check_card(target, built, overwrite)
        for report in reports:
            read_numbers(report, network_hash(built))
    if form == "safetensors":
        notes = dict(origin.notes)
        made = export_safetensors(built, target, half=half, meta=notes, overwrite=overwrite)
    elif form == "onnx":
        version = OPSET if opset is None else opset
        made = export_onnx(built, target, size=size, opset=version, overwrite=overwrite)
    else:
        made = export_program(built, target, size=size, overwrite=overwrite)
    if not card:
        return replace(made, files=(target,))
    paths = write_card(
        made, built, origin=origin, reports=reports, licence=licence, overwrite=overwrite
    )
    return replace(made, files=(target, *paths))


def _form(path: str | os.PathLike[str]) -> Form:
    for form, suffix in SUFFIXES.items():
        if Path(path).suffix.lower() == suffix:
            return form
    known = ", ".join(SUFFIXES.values())
    raise OutputError(f"an export is a file of {known}, got {os.fspath(path)}: change its suffix.")


def _check_options(form: Form, size: Size | None, half: bool, opset: int | None) -> None:
    """Refuse options that the format does not have."""
    forms: dict[str, tuple[bool, tuple[Form, ...]]] = {
        "size": (size is not None, ("onnx", "torch-export")),
        "half": (half, ("safetensors",)),
        "opset": (opset is not None, ("onnx",)),
    }
    for name, (is_given, having) in forms.items():
        if is_given and form not in having:
            wanted = " or ".join(as_given(to=one) for one in having)
            raise ConfigError(f"{argument_name(name)} is for {wanted}, not for {form}.")
