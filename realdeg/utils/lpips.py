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

from realdeg.errors import RealdegError, first_line

_TRUNK_FILE = "alexnet-owt-7be5be79.pth"
_TRUNK_URL = f"https://download.pytorch.org/models/{_TRUNK_FILE}"
# Index of each convolution in torchvision's AlexNet, and its slice in the package.
_TRUNK_SLICES = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}


class PerceptualUnavailableError(RealdegError):
    """LPIPS cannot be computed here."""


def _trunk_path(weights: str | os.PathLike[str] | None) -> Path:
    if weights is not None:
        path = Path(weights).expanduser()
        advice = "give the path of torchvision's AlexNet state dict"
    else:
        path = Path(torch.hub.get_dir()) / "checkpoints" / _TRUNK_FILE
        advice = f"put {_TRUNK_URL} there, or give its path (ImageQuality.lpips_weights or"
        advice += " LPIPSLoss.weights)"
    if not path.is_file():
        raise PerceptualUnavailableError(
            f"LPIPS needs AlexNet weights, but there is no file {path}: {advice}."
        )
    return path


def _trunk_state(path: Path) -> dict[str, Tensor]:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        return {
            f"slice{part}.{index}.{kind}": loaded[f"features.{index}.{kind}"]
            for index, part in _TRUNK_SLICES.items()
            for kind in ("weight", "bias")
        }
    # A damaged file raises anything from EOFError to UnpicklingError.
    except Exception as error:
        raise PerceptualUnavailableError(
            f"LPIPS cannot use {path} as AlexNet weights ({type(error).__name__}): it has to be"
            f" torchvision's state dict, for instance {_TRUNK_URL}."
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
    path = _trunk_path(weights)
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
