"""Turn anybody's weights into a file that describes itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realdeg.backbones.base import Backbone
from realdeg.backbones.build import build_filled
from realdeg.config.load import import_modules
from realdeg.errors import OutputError
from realdeg.utils.component import save_component
from realdeg.utils.files import remove_left_overs, sha256_file


@dataclass(frozen=True)
class ConvertedWeights:
    """A file of weights that was written.

    Attributes:
        path: The file.
        type: The network's registered name.
        parameters: How many numbers the network learns.
        hash: The hash of its weights.
        not_loaded: What of the weights did not fit, in words; empty unless ``partial``.
    """

    path: Path
    type: str
    parameters: int
    hash: str
    not_loaded: tuple[str, ...]


def convert_weights(
    weights: str | os.PathLike[str],
    path: str | os.PathLike[str],
    backbone: str,
    *,
    scale: float | None = None,
    source: str | None = None,
    partial: bool = False,
    custom_imports: Sequence[str] = (),
    overwrite: bool = False,
    arguments: Mapping[str, Any] | None = None,
) -> ConvertedWeights:
    """Convert published weights, as ``realdeg convert_weights`` does.

    Args:
        weights: A PyTorch, safetensors, MatConvNet (``.mat``) or Caffe (``.caffemodel``) file.
        path: The ``.safetensors`` file to write.
        backbone: The network's registered name.
        scale: The scale that it was trained for; None: what the tensors tell, or the network's
            default.
        source: Where the weights come from, to be noted; None: the file's name.
        partial: Take what fits and list the rest, not all or nothing.
        custom_imports: Modules of your own that register the network.
        overwrite: Replace a file that is there.
        arguments: Arguments that the tensors do not tell, such as ``{"num_steps": 3}``.

    Returns:
        What was written.

    Raises:
        ConfigError: If there is no such network or argument, or a module cannot be imported.
        CheckpointError: If the weights cannot be read, or do not fit.
        OutputError: If the file is there already, or cannot be written.

    Example:
        >>> import realdeg
        >>> realdeg.convert_weights("x4.mat", "lapsrn.safetensors", "LapSRN")  # doctest: +SKIP
    """
    output, file = Path(path), Path(weights)
    if output.suffix != ".safetensors":
        raise OutputError(f"the result is a .safetensors file, got {output}: name it so.")
    if output.exists() and not overwrite:
        raise OutputError(f"{output} is there already: remove it, or say --overwrite.")
    remove_left_overs(output.parent)
    import_modules(custom_imports, "--custom-imports")
    settings = dict(arguments or {})
    if scale is not None:
        settings["scale"] = scale
    network, left = build_filled(backbone, settings, "--arguments", file, partial)
    digest = save_component(
        output,
        network,
        kind="backbone",
        type=backbone,
        arguments=network.arguments,
        meta=_notes(network, file, source, left),
    )
    count = sum(parameter.numel() for parameter in network.parameters())
    return ConvertedWeights(output, backbone, count, digest, tuple(left))


def _notes(network: Backbone, file: Path, source: str | None, left: list[str]) -> dict[str, Any]:
    """Return what the file notes beside the arguments."""
    return {
        "source": source or file.name,
        "source_file": file.name,
        "source_sha256": sha256_file(file),
        "scale": network.scale,
        "same_size": network.same_size,
        "colour": network.colour,
        "value_range": network.value_range,
        "not_loaded": left,
    }
