"""A network as torch.export's program, which needs no code of ours to run."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from realdeg.backbones.base import Backbone
from realdeg.errors import ConfigError, OutputError, first_line
from realdeg.export.portable import (
    Comparison,
    Portable,
    Size,
    check_form,
    portable,
    reference,
    size_hint,
    trial,
    trial_sizes,
)
from realdeg.export.target import ExportedFile, check_target
from realdeg.ops.decompose import decompositions
from realdeg.utils.files import atomic_path, sha256_file


def export_program(
    backbone: Backbone,
    path: str | os.PathLike[str],
    *,
    size: Size | None = None,
    overwrite: bool = False,
) -> ExportedFile:
    """Write a network as a program of torch.export, and compare the file with the network.

    The program takes and gives images in [0, 1], shape (B, C, h, w), in float32; any batch and,
    unless ``size`` is given, any height and width. ``torch.export.load(path).module()`` runs it,
    without realdeg: its operators are put in terms of torch's.

    Args:
        backbone: The network; it is left as it is.
        path: The ``.pt2`` file.
        size: Height and width of the input in pixels, where it shall take no other.
        overwrite: Replace a file that is there.

    Returns:
        What was written and how it compared.

    Raises:
        ConfigError: If the network has no graph, or none for any size.
        OutputError: If the file is there, cannot be written, or gives other pictures.
    """
    target = check_target(path, "torch-export", overwrite)
    check_form(backbone, "torch-export", size)
    network = portable(backbone)
    program = replaced(traced(network, size, "torch-export"), decompositions())
    _drop_guards(program)
    _drop_places(program)
    content = io.BytesIO()  # a path would put its own name, a temporary one, into the archive
    torch.export.save(program, content)
    with atomic_path(target) as temporary:
        temporary.write_bytes(content.getbuffer())
        runner = torch.export.load(temporary).module()
        compared = compare(network.backbone, runner, size, target, "torch.export")
    return ExportedFile(
        target, "torch-export", sha256_file(target), size=size, compared=compared, opset=None
    )


def traced(network: Portable, size: Size | None, form: str) -> ExportedProgram:
    """Follow a network with torch.export.

    Args:
        network: The network.
        size: The one size to export for; None: any.
        form: What it is for, for messages.

    Raises:
        ConfigError: If there is no graph.
    """
    name = type(network.backbone).__name__
    sides = {} if size else {2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    example = trial(network.backbone, *trial_sizes(network.backbone, size)[0])
    try:
        with torch.no_grad():
            return torch.export.export(
                network,
                (example,),
                dynamic_shapes={"lr": {0: Dim.DYNAMIC, **sides}},
                strict=False,
            )
    except Exception as error:  # torch raises whatever the network's code ran into
        raise ConfigError(
            f"{name} cannot be exported to {form}: torch.export found no graph of it"
            f" ({_reason(error)}).{size_hint(size)}"
        ) from error


def compare(
    backbone: Backbone, runner: object, size: Size | None, target: Path, where: str
) -> Comparison:
    """Compare what was exported with the network itself.

    Args:
        backbone: The network.
        runner: Takes an image (B, C, h, w) to the result.
        size: The one size that it was exported for, or None.
        target: The file, for messages.
        where: What runs it, for messages.

    Raises:
        OutputError: If it fails on a size, or gives another picture.
    """
    name = type(backbone).__name__
    shapes, difference, largest = [], 0.0, 1.0
    hint = size_hint(size)
    for sizes in trial_sizes(backbone, size):
        image = trial(backbone, *sizes)
        wanted = reference(backbone, image)
        shape = (sizes[0], backbone.channels, sizes[1], sizes[2])
        try:
            with torch.no_grad():
                found: Tensor = runner(image)  # type: ignore[operator]
        except Exception as error:  # of any runtime, each with its own
            raise OutputError(
                f"{name} was exported, but {where} cannot run it on {shape}"
                f" ({in_short(error)}): {target} was not kept.{hint}"
            ) from error
        if found.shape != wanted.shape or not bool(torch.isfinite(found).all()):
            raise OutputError(
                f"{name} was exported, but {where} makes {tuple(found.shape)} of {shape}, wanted"
                f" {tuple(wanted.shape)} of finite numbers: {target} was not kept.{hint}"
            )
        shapes.append(shape)
        difference = max(difference, float((found - wanted).abs().max()))
        largest = max(largest, float(wanted.abs().max()))
    compared = Comparison(shapes, difference, largest)
    if not compared.good:
        raise OutputError(
            f"{name} was exported, but {where} gives another picture than the network, by"
            f" {difference:.1e}: {target} was not kept.{hint}"
        )
    return compared


def _reason(error: BaseException) -> str:
    text = str(error)
    if "Constraints violated" in text or "specialized" in text:
        return "its code goes another way for each size of image"
    return in_short(error)


def in_short(error: BaseException) -> str:
    """Return the first line of what an error says, cut where it is very long."""
    text = first_line(error)
    return text if len(text) <= 200 else text[:197] + "..."


def _drop_guards(program: ExportedProgram) -> None:
    # What held by chance for the example (more than one image, memory in one piece) is stored as
    # a condition of each call, although the graph does without: the comparison says so.
    if hasattr(program, "_guards_code"):
        program._guards_code = []


def _drop_places(program: ExportedProgram) -> None:
    # Where each step stands in whose source file: folders of this machine are nobody's business.
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


def replaced(program: ExportedProgram, table: dict[Any, Any]) -> ExportedProgram:
    """Put other operators in the place of some.

    Args:
        program: The program; it is followed anew, which takes long, only where it has such.
        table: What ``run_decompositions`` takes.
    """
    if all(node.target not in table for node in program.graph.nodes):
        return program
    return program.run_decompositions(table)
