"""Export a network to ONNX and check it in onnxruntime."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from realdeg.backbones.base import Backbone
from realdeg.errors import ConfigError, OutputError
from realdeg.export.portable import Size, check_form, least_size, portable, size_hint
from realdeg.export.program import compare, in_short, replaced, traced
from realdeg.export.target import ExportedFile, check_target
from realdeg.ops.decompose import decompositions
from realdeg.utils.component import component_hash, plain
from realdeg.utils.files import atomic_path, sha256_file

aten = torch.ops.aten

OPSET = 18
_MOST_BYTES = 2**31 - 1  # a protocol buffer holds no more


def export_onnx(
    backbone: Backbone,
    path: str | os.PathLike[str],
    *,
    size: Size | None = None,
    opset: int = OPSET,
    overwrite: bool = False,
) -> ExportedFile:
    """Write a network as ONNX, and compare the file with the network in onnxruntime.

    The input ``lr`` and the output ``sr`` are float32 in [0, 1], shape (batch, C, height, width),
    for any value range of the network. The batch size and, unless ``size`` is given, height and
    width are dynamic. Type, arguments, scale, colour and hash are in the file's metadata.

    Args:
        backbone: The network; it is not changed.
        path: The ``.onnx`` file.
        size: The only input height and width in pixels; None: any size.
        opset: The ONNX operator set version, 18 or later.
        overwrite: Replace an existing file.

    Returns:
        The exported file; ``compared`` is None if onnxruntime is not installed.

    Raises:
        ConfigError: If packages are missing, or the network cannot be expressed as a graph.
        OutputError: If the file exists, cannot be written, or its output differs.
    """
    target = check_target(path, "onnx", overwrite)
    check_form(backbone, "onnx", size)
    if opset < OPSET:
        raise ConfigError(f"opset is {opset}, but torch writes {OPSET} and later.")
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise ConfigError(
                f"exporting to ONNX needs the package {package}, which is not installed:"
                " pip install 'realdeg[onnx]'."
            )
    network = portable(backbone)
    model = _converted(traced(network, size, "onnx"), type(backbone).__name__, size, opset)
    _describe(model, backbone, size)
    content = model.SerializeToString()
    compared = None
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
        if has_onnxruntime():
            runner = _session(os.fspath(temporary))
            compared = compare(network.backbone, runner, size, target, "onnxruntime")
    return ExportedFile(
        target, "onnx", sha256_file(target), size=size, compared=compared, opset=opset
    )


def has_onnxruntime() -> bool:
    """Return whether onnxruntime is installed."""
    return find_spec("onnxruntime") is not None


def _converted(program: ExportedProgram, name: str, size: Size | None, opset: int) -> Any:
    """Return the ONNX model of a program."""
    try:
        with torch.no_grad(), _quiet():
            found = torch.onnx.export(
                replaced(program, {**decompositions(), **DECOMPOSITIONS}),
                dynamo=True,
                opset_version=opset,
                output_names=["sr"],
                verbose=False,
            )
        assert found is not None
        model = found.model_proto
    except Exception as error:  # torch raises errors of any kind
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ConfigError(
            f"{name} cannot be exported to ONNX: torch's translation failed"
            f" ({in_short(cause)}).{size_hint(size)}"
        ) from error
    _check_opset(model, opset)
    if model.ByteSize() > _MOST_BYTES:
        raise OutputError(
            f"{name} needs an ONNX file of more than 2 GB, which the format does not allow: export"
            " safetensors."
        )
    return model


def _check_opset(model: Any, asked: int) -> None:
    """Refuse another version: torch keeps its own if it cannot convert to the requested one."""
    found = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    if found != asked:
        raise ConfigError(
            f"opset is {asked}, but torch {torch.__version__} wrote {found}: it does not support"
            f" the requested version. Use {OPSET}."
        )


def _describe(model: Any, backbone: Backbone, size: Size | None) -> None:
    """Name inputs, outputs and their dimensions, and add the metadata."""
    import onnx

    name = type(backbone).__name__
    (given,), (result,) = model.graph.input, model.graph.output
    _rename(model.graph, given, "lr")
    sides: list[str | None] = [None, None]  # fixed sizes stay numbers
    larger = sides
    if size is None:
        factor = backbone.output_size(1, 1)[0]
        sides = ["height", "width"]
        larger = [side if factor == 1 else f"{factor}*{side}" for side in sides]
    _name_sides(given, ["batch", None, *sides])
    _name_sides(result, ["batch", None, *larger])
    del model.graph.value_info[:]  # torch's symbols, now meaningless
    # The source locations of each node would reveal folders of this machine.
    for part in (model.graph, given, result, *model.graph.node, *model.graph.initializer):
        del part.metadata_props[:]
    notes = {
        "type": name,
        "arguments": json.dumps(plain(backbone.arguments), sort_keys=True),
        "scale": f"{backbone.scale:g}",
        "same_size": str(backbone.same_size).lower(),
        "colour": backbone.colour,
        "value_range": "1",
        "least_size": str(least_size(backbone, size) or ""),
        "hash": component_hash(name, backbone.arguments, backbone.state_dict()),
    }
    onnx.helper.set_model_props(model, notes)
    onnx.checker.check_model(model)


def _rename(graph: Any, value: Any, name: str) -> None:
    old, value.name = value.name, name
    for node in graph.node:
        for index, given in enumerate(node.input):
            if given == old:
                node.input[index] = name


def _name_sides(value: Any, names: list[str | None]) -> None:
    for side, name in zip(value.type.tensor_type.shape.dim, names, strict=True):
        if name is not None:
            side.dim_param = name


def _session(path: str) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(image: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"lr": image.numpy()})[0])

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's progress report; errors are still raised."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _remainder(x: Tensor, n: Any) -> Tensor:
    # torch's own does not accept an n that depends on the image's size.
    divisor = aten.scalar_tensor.default(n, dtype=x.dtype)
    return x - aten.floor_divide.default(x, divisor) * divisor


def _pool_to_grid(x: Tensor, size: Sequence[int]) -> Tensor:
    # torch's own lists the pixels of each cell of the example. Here a cell's mean is a matrix
    # product with a normalised mask.
    if tuple(size) == (1, 1):
        return x.mean((2, 3), keepdim=True)
    rows = _cells(x, x.shape[2], size[0])
    columns = _cells(x, x.shape[3], size[1])
    return torch.matmul(torch.matmul(rows, x), columns.transpose(0, 1))


def _cells(x: Tensor, length: int, count: int) -> Tensor:
    """Return each cell's weights over an axis, (count, length)."""
    number = torch.arange(count, device=x.device)[:, None]
    first = torch.div(number * length, count, rounding_mode="floor")
    # From the floor of a cell's start to the ceiling of its end.
    end = torch.div((number + 1) * length + count - 1, count, rounding_mode="floor")
    place = torch.arange(length, device=x.device)[None]
    inside = (place >= first) & (place < end)
    return inside.to(x.dtype) / (end - first).to(x.dtype)


# Replacements of operators whose translation by torch fails or holds for one size only.
DECOMPOSITIONS: dict[Any, Callable[..., Tensor]] = {
    aten.remainder.Scalar: _remainder,
    aten._adaptive_avg_pool2d.default: _pool_to_grid,
    aten.adaptive_avg_pool2d.default: _pool_to_grid,
}
