"""Export a network as a torch.export program, which runs without realdeg."""

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
    """Write a network as a torch.export program, and compare the file with the network.

    Input and output are float32 images in [0, 1], shape (B, C, h, w). The batch size and, unless
    ``size`` is given, height and width are dynamic. ``torch.export.load(path).module()`` runs it
    without realdeg, whose operators are replaced by torch's.

    Args:
        backbone: The network; it is not changed.
        path: The ``.pt2`` file.
        size: The only input height and width in pixels; None: any size.
        overwrite: Replace an existing file.

    Raises:
        ConfigError: If the network cannot be expressed as a graph, or not for any size.
        OutputError: If the file exists, cannot be written, or its output differs.
    """
    target = check_target(path, "torch-export", overwrite)
    check_form(backbone, "torch-export", size)
    network = portable(backbone)
    program = replaced(traced(network, size, "torch-export"), decompositions())
    _drop_guards(program)
    _drop_source_locations(program)
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
    """Trace a network with torch.export.

    Args:
        network: The network in its portable form.
        size: The only size to export for; None: any.
        form: The format, for messages.

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
    except Exception as error:  # torch raises errors of any kind
        raise ConfigError(
            f"{name} cannot be exported to {form}: torch.export found no graph for it"
            f" ({_reason(error)}).{size_hint(size)}"
        ) from error


def compare(
    backbone: Backbone, runner: object, size: Size | None, target: Path, where: str
) -> Comparison:
    """Compare the exported file with the network.

    Args:
        backbone: The network that was exported, as the reference.
        runner: Maps an image (B, C, h, w) to the output.
        size: The only size that it was exported for, or None.
        target: The file, for messages.
        where: What runs it, for messages.

    Raises:
        OutputError: If it fails on a size, or its output differs.
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
        except Exception as error:  # runtimes raise their own errors
            raise OutputError(
                f"{name} was exported, but {where} cannot run it on {shape}"
                f" ({in_short(error)}): {target} was not kept.{hint}"
            ) from error
        if found.shape != wanted.shape or not bool(torch.isfinite(found).all()):
            raise OutputError(
                f"{name} was exported, but {where} returns {tuple(found.shape)} for {shape};"
                f" expected {tuple(wanted.shape)} of finite numbers: {target} was not kept.{hint}"
            )
        shapes.append(shape)
        difference = max(difference, float((found - wanted).abs().max()))
        largest = max(largest, float(wanted.abs().max()))
    compared = Comparison(shapes, difference, largest)
    if not compared.good:
        raise OutputError(
            f"{name} was exported, but the output of {where} differs from the network's by"
            f" {difference:.1e}: {target} was not kept.{hint}"
        )
    return compared


def _reason(error: BaseException) -> str:
    text = str(error)
    if "Constraints violated" in text or "specialized" in text:
        return "its code depends on the image size"
    return in_short(error)


def in_short(error: BaseException) -> str:
    """Return the first line of an error message, cut if it is very long."""
    text = first_line(error)
    return text if len(text) <= 200 else text[:197] + "..."


def _drop_guards(program: ExportedProgram) -> None:
    # Properties of the example (more than one image, contiguous memory) are stored as conditions of
    # each call, although the graph does not need them, as the comparison shows.
    if hasattr(program, "_guards_code"):
        program._guards_code = []


def _drop_source_locations(program: ExportedProgram) -> None:
    # They would reveal folders of this machine.
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


def replaced(program: ExportedProgram, table: dict[Any, Any]) -> ExportedProgram:
    """Replace some operators.

    Args:
        program: The program; it is traced again, which is slow, only if it has such operators.
        table: The argument of ``run_decompositions``.
    """
    if all(node.target not in table for node in program.graph.nodes):
        return program
    return program.run_decompositions(table)
