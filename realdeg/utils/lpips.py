"""The LPIPS network of the authors' package, imported late, without downloads.

LPIPS needs three things that are often missing: the package, a torchvision that matches torch, and
torchvision's AlexNet weights. Each failure becomes one sentence, so that a measurement can continue
without LPIPS and a training can refuse to start.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from realdeg.errors import CheckpointError, first_line
from realdeg.utils.torch_state import Shapes, read_state
from realdeg.utils.trunk_files import (
    PerceptualUnavailableError,
    published_file,
    published_url,
)

__all__ = ["PerceptualUnavailableError", "load_lpips", "trunk_file"]

# Index of each convolution in torchvision's AlexNet, and its slice in the package.
_TRUNK_SLICES = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}


def trunk_file(weights: str | os.PathLike[str] | None = None) -> Path:
    """Return the file of LPIPS's AlexNet.

    Args:
        weights: torchvision's AlexNet state dict; None looks where torch.hub stores it.

    Raises:
        PerceptualUnavailableError: If there is none.
    """
    return published_file(
        "alexnet", weights, "LPIPS", "ImageQuality.lpips_weights or LPIPSLoss.weights"
    )


def _trunk_state(path: Path) -> dict[str, Tensor]:
    wanted = {
        f"features.{index}.{kind}": f"slice{part}.{index}.{kind}"
        for index, part in _TRUNK_SLICES.items()
        for kind in ("weight", "bias")
    }

    def choose(shapes: Shapes) -> list[str]:
        if not set(wanted) <= set(shapes):
            raise CheckpointError(f"{path} lacks tensors of AlexNet.")
        return list(wanted)

    try:
        return {wanted[name]: tensor for name, tensor in read_state(path, choose).items()}
    except CheckpointError as error:
        raise PerceptualUnavailableError(
            f"LPIPS cannot use {path} as AlexNet weights ({first_line(error)}): it has to be"
            f" torchvision's state dict, for instance {published_url('alexnet')}."
        ) from error


def load_lpips(weights: str | os.PathLike[str] | None = None) -> nn.Module:
    """Return the LPIPS network, AlexNet v0.1, on the CPU.

    Nothing is downloaded, and the global random generator is left unchanged.

    Args:
        weights: torchvision's AlexNet state dict; None looks where torch.hub stores it.

    Returns:
        The frozen network in evaluation mode.

    Raises:
        PerceptualUnavailableError: If package, torchvision or weights are missing or broken.

    Source:
        Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018 (package ``lpips``).
    """
    path = trunk_file(weights)
    try:
        package = import_module("lpips")
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            # A random trunk: otherwise the package downloads one.
            network = package.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    # A torchvision for another torch raises RuntimeError, AttributeError, OSError and more.
    except Exception as error:
        raise PerceptualUnavailableError(
            f"LPIPS cannot be loaded ({type(error).__name__}: {first_line(error)}): install 'lpips'"
            f" and the torchvision release that belongs to torch {torch.__version__}."
        ) from error
    try:
        network.net.load_state_dict(_trunk_state(path))
    except RuntimeError as error:
        raise PerceptualUnavailableError(
            f"LPIPS cannot use {path}: the weights are not AlexNet's."
        ) from error
    return network.eval().requires_grad_(False)
