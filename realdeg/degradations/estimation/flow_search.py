"""Search among the codes of a learned flow of kernels, for estimators that use it as a prior."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from realdeg.degradations.base import DegradationLike
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.flow_kernel import FlowKernel
from realdeg.errors import ConfigError
from realdeg.utils.files import names_a_file
from realdeg.utils.streams import stream_seed


def flow_for(flow: DegradationLike | None, scale: int, owner: str) -> FlowKernel:
    """Return a copy of the flow of an estimator, for inference.

    Args:
        flow: The estimator's argument: a file, a config, a ``FlowKernel``, or None.
        scale: The scale that it must have.
        owner: The estimator's name, for messages.

    Raises:
        ConfigError: If no flow is given, its file is missing, or it is another degradation.
        CheckpointError: If the file cannot be read.
        GeometryError: If the flow is of another scale.
    """
    check_flow(flow, scale, owner)
    assert flow is not None
    # One that is built from a config draws initial values from the global random generator.
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = degradation_from_config(flow, scale)
        if isinstance(found, FlowKernel):
            return copy.deepcopy(found).eval().requires_grad_(False)
    raise ConfigError(
        f"the flow of {owner} is a {type(found).__name__}, wanted a FlowKernel:"
        f" {_how_to_get(scale)}"
    )


def check_flow(flow: DegradationLike | None, scale: int, owner: str) -> None:
    """Refuse a flow that is not given, or whose file is missing or not converted.

    Args:
        flow: As for :func:`flow_for`.
        scale: The scale that it must have.
        owner: The estimator's name or its place in a config, for messages.

    Raises:
        ConfigError: Saying how to get one.
    """
    get = _how_to_get(scale)
    if flow is None:
        raise ConfigError(f"{owner} needs a flow of kernels of scale {scale}: {get}")
    if isinstance(flow, Mapping):
        file = flow.get("checkpoint")
    else:
        file = flow if isinstance(flow, str | os.PathLike) and names_a_file(flow) else None
    if file is not None and not Path(str(file)).is_file():
        raise ConfigError(f"{owner} finds no flow of kernels at {file}: {get}")
    if file is not None and Path(str(file)).suffix != ".safetensors":
        raise ConfigError(f"the flow of {owner}, {file}, has to be converted first: {get}")


def _how_to_get(scale: int) -> str:
    theirs = f"FKP_x{scale}.pt"
    return (
        f"train one (realdeg train fkp/fkp_gaussians_x{scale}), or convert the authors' {theirs} of"
        f" github.com/JingyunLiang/FKP (realdeg convert_weights {theirs} fkp_x{scale}.safetensors"
        " --degradation FlowKernel), and give the file as flow."
    )


def flow_notes(flow: FlowKernel) -> tuple[str, ...]:
    """Return what limits the trust in a flow's kernels, for an estimate's notes."""
    return () if flow.is_trained else ("the flow was never trained, so its kernels mean nothing",)


class CodeSearch:
    """A code that is optimised on a sphere, where a normal code of its length mostly lies.

    Args:
        flow: The flow, frozen.
        like: A tensor of the wanted dtype and device.
        rate: Adam's rate.
        betas: Adam's moments.
        seed: The seed of the first code.

    Source:
        SphericalOptimizer of JingyunLiang/FKP, commit 127c121: the radius is k - 1 for kernels of
        k x k, instead of the expected length k.
    """

    def __init__(
        self, flow: FlowKernel, like: Tensor, rate: float, betas: tuple[float, float], seed: int
    ) -> None:
        self.flow = flow.to(like)
        self.code = flow.code_of(stream_seed(seed, "code")).to(like)[None].requires_grad_()
        self._project()
        self._optimiser = torch.optim.Adam([self.code], lr=rate, betas=betas)

    def kernel(self) -> Tensor:
        """Return the kernel of the code in the LR pixels' windows, (k, k), sum 1."""
        return self.flow.aligned(self.flow.kernels(self.code))[0]

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._optimiser.zero_grad()

    def step(self) -> None:
        """Take a step along the gradient, and return to the sphere."""
        self._optimiser.step()
        self._project()

    @torch.no_grad()
    def _project(self) -> None:
        self.code.mul_((self.flow.kernel_size - 1) / (self.code.square().sum() + 1e-9).sqrt())
