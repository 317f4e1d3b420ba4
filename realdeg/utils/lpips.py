"""The LPIPS network of the authors' package, imported late and never downloading anything.

LPIPS needs three things that are often missing: the package, a torchvision that fits torch (any
other raises whatever it likes on import), and the AlexNet weights of torchvision. Each failure
becomes one sentence, so that a measurement can go on without and a training can refuse to begin.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from realdeg.errors import RealdegError

_TRUNK_FILE = "alexnet-owt-7be5be79.pth"
_TRUNK_URL = f"https://download.pytorch.org/models/{_TRUNK_FILE}"
# Index of each convolution in torchvision's AlexNet, and the slice of the package that holds it.
_TRUNK_SLICES = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}


class PerceptualUnavailableError(RealdegError):
    """LPIPS cannot be computed here; the message says why and what to do."""


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

    Nothing is downloaded, and the global random generator is left as it was.

    Args:
        weights: AlexNet's state dict as torchvision publishes it; without it, the file is looked
            for where torch.hub would have put it.

    Returns:
        The frozen network in evaluation mode.

    Raises:
        PerceptualUnavailableError: If the package, a torchvision that works or the weights
            are missing.

    Source:
        Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018 (package ``lpips``).
    """
    path = _trunk_path(weights)
    try:
        package = import_module("lpips")
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            # A random trunk, for the package would otherwise download one.
            network = package.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    # torchvision of another torch raises RuntimeError, AttributeError, OSError and more.
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
        raise PerceptualUnavailableError(
            f"LPIPS cannot be loaded ({type(error).__name__}: {reason}): install 'lpips' and the"
            f" torchvision release that belongs to torch {torch.__version__}."
        ) from error
    try:
        network.net.load_state_dict(_trunk_state(path))
    except RuntimeError as error:
        raise PerceptualUnavailableError(
            f"LPIPS cannot use {path}: the weights are not AlexNet's."
        ) from error
    return network.eval().requires_grad_(False)
