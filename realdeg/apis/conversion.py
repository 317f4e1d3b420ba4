"""Convert published weights to a self-describing file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realdeg.backbones.base import Backbone
from realdeg.backbones.build import build_filled
from realdeg.backbones.weights import read_weights
from realdeg.config.load import import_modules
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, OutputError, argument_name
from realdeg.registry import DEGRADATIONS
from realdeg.utils.arguments import check_arguments
from realdeg.utils.component import save_component
from realdeg.utils.files import check_replaceable, remove_left_overs, sha256_file


@dataclass(frozen=True)
class ConvertedWeights:
    """A converted file of weights.

    Attributes:
        path: Where it was written.
        type: The registered name of the network or degradation.
        parameters: The number of its parameters.
        hash: The hash of its weights.
        not_loaded: Tensors that did not fit, described; empty unless ``partial``.
    """

    path: Path
    type: str
    parameters: int
    hash: str
    not_loaded: tuple[str, ...]


def convert_weights(
    weights: str | os.PathLike[str],
    path: str | os.PathLike[str],
    backbone: str | None = None,
    *,
    degradation: str | None = None,
    scale: float | None = None,
    source: str | None = None,
    partial: bool = False,
    custom_imports: Sequence[str] = (),
    overwrite: bool = False,
    arguments: Mapping[str, Any] | None = None,
    basis: str | os.PathLike[str] | None = None,
) -> ConvertedWeights:
    """Convert published weights, as ``realdeg convert_weights`` does.

    Args:
        weights: A PyTorch, safetensors, MatConvNet (``.mat``), Caffe (``.caffemodel``) or ncnn
            (``.param``) file.
        path: The ``.safetensors`` file to write.
        backbone: The network's registered name.
        degradation: The registered name of a learned degradation, instead of a network's.
        scale: The scale that it was trained for; None: found from the tensors, or the network's
            default.
        source: Where the weights come from, noted in the file; None: the file's name.
        partial: Load the tensors that fit and list the rest.
        custom_imports: Your own modules that register the network.
        overwrite: Replace an existing file.
        arguments: Arguments that the tensors do not show, such as ``{"num_steps": 3}``.
        basis: A ``.mat`` with the basis of kernels that the weights were trained with, for SRMD:
            ``kernels/srmd_pca_matlab.mat`` of cszn/KAIR.

    Raises:
        ConfigError: If there is no such network, degradation or argument, a module cannot be
            imported, the degradation has no published weights, or the network has no basis.
        CheckpointError: If the weights cannot be read, or do not fit.
        OutputError: If the file already exists, or cannot be written.

    Example:
        >>> import realdeg
        >>> realdeg.convert_weights("x4.mat", "lapsrn.safetensors", "LapSRN")  # doctest: +SKIP
    """
    output, file = Path(path), Path(weights)
    if output.suffix != ".safetensors":
        raise OutputError(f"the output is a .safetensors file, got {output}: change its suffix.")
    check_replaceable(output, overwrite)
    remove_left_overs(output.parent)
    import_modules(custom_imports, argument_name("custom_imports"))
    settings = dict(arguments or {})
    if scale is not None:
        settings["scale"] = scale
    place = argument_name("arguments")
    if (backbone is None) == (degradation is None):
        raise ConfigError(
            f"name the network ({argument_name('backbone')}) or the degradation"
            f" ({argument_name('degradation')}) that the weights belong to."
        )
    if degradation is not None:
        if partial or basis is not None:
            raise ConfigError(
                f"{argument_name('partial')} and {argument_name('basis')} are for networks: leave"
                " them out."
            )
        return _convert_degradation(file, output, degradation, settings, place, source)
    assert backbone is not None
    network, left = build_filled(backbone, settings, place, file, partial)
    if basis is not None:
        use_basis = getattr(network, "use_basis", None)
        if use_basis is None:
            raise ConfigError(
                f"{argument_name('basis')} is given, and {backbone} has no basis of kernels: leave"
                " it out (SRMD has one)."
            )
        use_basis(basis)
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


def _convert_degradation(
    file: Path,
    output: Path,
    name: str,
    settings: Mapping[str, Any],
    place: str,
    source: str | None,
) -> ConvertedWeights:
    cls = DEGRADATIONS.require(name)
    build = getattr(cls, "from_published", None)
    if build is None:
        known = [n for n in DEGRADATIONS.names() if hasattr(DEGRADATIONS.get(n), "from_published")]
        raise ConfigError(
            f"no published weights of {name} are known: choose one of {', '.join(known)}."
        )
    check_arguments(cls, settings, place)
    made: Degradation = build(read_weights(file), str(file), settings)
    digest = made.save(output, _origin(file, source))
    count = sum(parameter.numel() for parameter in made.parameters())
    return ConvertedWeights(output, name, count, digest, ())


def _origin(file: Path, source: str | None) -> dict[str, Any]:
    return {
        "source": source or file.name,
        "source_file": file.name,
        "source_sha256": sha256_file(file),
    }


def _notes(network: Backbone, file: Path, source: str | None, left: list[str]) -> dict[str, Any]:
    """Return the notes stored in the file in addition to the arguments."""
    return {
        **_origin(file, source),
        "scale": network.scale,
        "same_size": network.same_size,
        "colour": network.colour,
        "value_range": network.value_range,
        "not_loaded": left,
    }
