"""Export a network, with a model card, from whatever names it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from realdeg.apis.create import Source, create_backbone
from realdeg.backbones.base import Backbone
from realdeg.errors import ConfigError, OutputError
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
    """Write a network for other programs, with a model card, as ``realdeg export`` does.

    Args:
        backbone: Weights, a config that names weights, a run's folder or a network: whatever
            :func:`realdeg.create_backbone` takes.
        path: The file to write.
        to: The form: ``"safetensors"``, ``"onnx"`` or ``"torch-export"``; None: that of the
            path's suffix (``.safetensors``, ``.onnx``, ``.pt2``).
        scale: How much resolution is gained; None: what the weights say.
        same_size: Whether LR lies on the HR grid; None: what the weights say.
        options: Dotted keys laid over the config (``{"backbone.checkpoint": "x.safetensors"}``).
        size: Height and width of the only input, in pixels; not for safetensors. None: any.
        half: Store float16; safetensors only.
        opset: The version of ONNX's operators; None: 18.
        card: Write a model card beside the file.
        reports: ``report.json`` files of ``realdeg test``, to be quoted by the card.
        licence: The weights' licence in words, for the card; None: not stated.
        overwrite: Replace what is there.

    Returns:
        What was written; ``files`` names the card's two files as well.

    Raises:
        ConfigError: If nothing goes by that name, no weights are named, an argument is not for
            the form, or a package is missing.
        CheckpointError: If the weights cannot be read.
        DataError: If a report cannot be read.
        GeometryError: If scale or grid are not those of the weights.
        OutputError: If a file is there already or cannot be written, or gives other pictures than
            the network.

    Example:
        >>> import realdeg
        >>> realdeg.export_backbone("work_dirs/vdsr", "vdsr.onnx")  # doctest: +SKIP
    """
    form = _form(path) if to is None else to
    _check_options(form, size, half, opset)
    target = check_target(path, form, overwrite)
    if not card and (reports or licence):
        raise ConfigError("--report and --licence go into the card, and --no-card writes none.")
    remove_left_overs(target.parent)
    built = create_backbone(backbone, scale, same_size, trained=True, options=options).eval()
    if isinstance(backbone, str | os.PathLike):
        origin = Origin.of(backbone, options, scale)
    else:
        origin = Origin(type(built).__name__)
    if card:  # before the work, not after it
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
    raise OutputError(f"an export is a file of {known}, got {os.fspath(path)}: end its name so.")


def _check_options(form: Form, size: Size | None, half: bool, opset: int | None) -> None:
    """Refuse options that the form does not have."""
    fitting = {
        "--size": (size is not None, ("onnx", "torch-export")),
        "--half": (half, ("safetensors",)),
        "--opset": (opset is not None, ("onnx",)),
    }
    for option, (given, forms) in fitting.items():
        if given and form not in forms:
            raise ConfigError(f"{option} is for --to {' and '.join(forms)}, not for {form}.")
