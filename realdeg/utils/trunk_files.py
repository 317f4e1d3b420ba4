"""Where the weights of trained feature networks (trunks) are found; nothing is downloaded."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from realdeg.errors import CheckpointError, RealdegError
from realdeg.utils.torch_state import Shapes, read_state


class PerceptualUnavailableError(RealdegError):
    """A perceptual distance cannot be computed here: its package or its weights are missing."""


PUBLISHED: Mapping[str, str] = {
    "alexnet": "alexnet-owt-7be5be79.pth",
    "vgg16": "vgg16-397923af.pth",
    "vgg19": "vgg19-dcbb9e9d.pth",
}
"""torchvision's files by network. The digits in a name begin the file's SHA-256."""

_PUBLISHER = "https://download.pytorch.org/models/"
STLPIPS_PACKAGE = "stlpips_pytorch"
_STLPIPS_FOLDER = Path("weights", "vST0.0")
_STAND_IN = (
    " Without a download: pip install 'realdeg[perceptual]' brings the VGG16 of ST-LPIPS, which"
    " trunk='vgg16_shift_tolerant' takes in its place."
)


def published_url(network: str) -> str:
    """Return the address of torchvision's file.

    Args:
        network: A key of ``PUBLISHED``.
    """
    return f"{_PUBLISHER}{PUBLISHED[network]}"


def published_file(
    network: str, weights: str | os.PathLike[str] | None, needed_by: str, argument: str
) -> Path:
    """Return the file with torchvision's weights of a network.

    Args:
        network: A key of ``PUBLISHED``.
        weights: The file; None looks where torch.hub stores it.
        needed_by: What needs it, for the message: ``"ContentLoss"``.
        argument: How its path is given, for the message: ``"its argument weights"``.

    Raises:
        PerceptualUnavailableError: If there is no such file.
    """
    shown = {"alexnet": "AlexNet"}.get(network, network.upper())
    if weights is not None:
        path = Path(weights).expanduser()
        advice = f"give the path of torchvision's {shown} state dict"
    else:
        path = Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED[network]
        advice = f"put {published_url(network)} there, or give its path ({argument})"
    if path.is_file():
        return path
    other = _STAND_IN if network != "alexnet" else ""
    raise PerceptualUnavailableError(
        f"{needed_by} needs {shown} weights, but there is no file {path}: {advice}.{other}"
    )


def stlpips_file(network: str, needed_by: str) -> Path:
    """Return a file of weights of the installed package stlpips-pytorch, without importing it.

    Args:
        network: ``"alex"`` or ``"vgg"``.
        needed_by: What needs it, for the message.

    Raises:
        PerceptualUnavailableError: If the package or the file is missing.
    """
    found = find_spec(STLPIPS_PACKAGE)
    folders = [] if found is None else list(found.submodule_search_locations or ())
    if not folders:
        raise PerceptualUnavailableError(
            f"{needed_by} needs the weights of the package stlpips-pytorch, which is not installed:"
            " pip install 'realdeg[perceptual]'. Only its weights are read."
        )
    path = Path(folders[0], _STLPIPS_FOLDER, f"{network}_shift_tolerant.pth")
    if not path.is_file():
        raise PerceptualUnavailableError(
            f"{needed_by} needs {path}, which the installed stlpips-pytorch lacks: install release"
            " 0.0.2."
        )
    return path


def read_convolutions(
    path: Path, shapes: Sequence[tuple[int, ...]], network: str, needed_by: str, *, check: bool
) -> list[tuple[Tensor, Tensor]]:
    """Read the first convolutions of a network, whatever their names are.

    Convolutions are ordered by the numbers in their names (``features.2.weight``,
    ``vgg_net.conv1_2.weight``, ``net.slice1.2.weight``). Other tensors are not read.

    Args:
        path: The file.
        shapes: The shapes of the weights, in the network's order.
        network: The network, for the message: ``"VGG19"``.
        needed_by: What needs it, for the message.
        check: Only compare the shapes, and return nothing.

    Returns:
        Weight and bias of each convolution.

    Raises:
        PerceptualUnavailableError: If the file is damaged, or of another network.
    """
    sizes = {shape[2:] for shape in shapes}
    names: list[str] = []

    def choose(found: Shapes) -> list[str]:
        weights = sorted(
            (
                name
                for name, shape in found.items()
                if name.endswith(".weight") and shape[2:] in sizes
            ),
            key=_in_order,
        )
        fits = len(weights) >= len(shapes) and all(
            found[name] == shape and found.get(_bias(name)) == shape[:1]
            for name, shape in zip(weights, shapes, strict=False)
        )
        if not fits:
            held = ", ".join(f"{found[name][1]} -> {found[name][0]}" for name in weights)
            wanted = ", ".join(f"{shape[1]} -> {shape[0]}" for shape in shapes)
            raise PerceptualUnavailableError(
                f"{needed_by} cannot use {path} as {network} weights: it holds"
                f" {len(weights)} convolutions of that kernel ({held or 'none'}) and"
                f" {network}'s {len(shapes)} are {wanted}, each with a bias."
            )
        names.extend(weights[: len(shapes)])
        return [each for name in names for each in (name, _bias(name))]

    try:
        state = read_state(path, choose, shapes_only=check)
    except CheckpointError as error:
        raise PerceptualUnavailableError(
            f"{needed_by} cannot use {path} as {network} weights: {error}"
        ) from error
    return [] if check else [(state[name].float(), state[_bias(name)].float()) for name in names]


def _bias(name: str) -> str:
    return f"{name.removesuffix('weight')}bias"


def _in_order(name: str) -> tuple[tuple[int, str], ...]:
    return tuple(
        (int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)
    )
