"""A blur kernel drawn from a GAN that was trained on kernels of photos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Interval, MultipleOf
from torch import Tensor, nn

from realdeg.degradations.base import Scale
from realdeg.degradations.coded_kernel import CodedKernel
from realdeg.degradations.primitives.noise import white_noise
from realdeg.degradations.windowed import Padding
from realdeg.errors import CheckpointError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count
from realdeg.utils.component import load_state

# Four, doubled by each of three layers.
_SIDE = 32
# So that even a constant output gives a kernel.
_LEAST = 1e-12


@DEGRADATIONS.register_module()
class KernelGenerator(CodedKernel):
    """Blurs each image with a kernel drawn from KMSR's generator of kernels.

    Transposed convolutions turn a code into 32 x 32 values, and a last convolution without padding
    cuts them to the kernel. Negative values are set to 0, and the rest is divided by its sum. The
    task ``AdversarialKernels`` trains it on a ``KernelSet``. In KMSR it doubles a pool that blind
    deconvolution found: ``OneOf`` with the parts ``dict(type="KernelPool", pool=...)`` and
    ``dict(checkpoint="degradation.safetensors")``.

    Kernels have the grid that it was trained for: the HR grid with ``same_size``, as in KMSR, else
    the windows of LR pixels. No weights are published, only five kernels that they drew;
    ``realdeg convert_weights generator.pkl g.safetensors --degradation KernelGenerator --arguments
    same_size=True`` reads those of the published program. 12,133,698 parameters.

    Args:
        scale: Downscaling factor.
        same_size: Whether kernels blur the HR grid.
        kernel_size: Side k of the kernels.
        width: Channels of the first layer; the next two have a half and a quarter.
        code_size: Length of the code.
        padding: Border handling, as in :func:`realdeg.ops.kernel_apply`.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Zhou, Susstrunk, Kernel Modeling Super-Resolution on Real Low-Resolution Images, ICCV 2019;
        IVRL/Kernel-Modeling-Super-Resolution, commit 1253598 (``kernel_generator``), whose names
        the keys have.
    """

    def __init__(
        self,
        scale: Scale = 2,
        same_size: bool = False,
        kernel_size: Annotated[int, Interval(ge=3, le=31)] = 25,
        width: Annotated[Count, MultipleOf(4)] = 1024,
        code_size: Count = 100,
        padding: Padding = "reflect",
    ) -> None:
        super().__init__(scale, same_size, kernel_size, padding)
        self.code_size = code_size
        sizes = [code_size, width, width // 2, width // 4]
        layers: list[nn.Module] = []
        for number, (into, out) in enumerate(zip(sizes, sizes[1:], strict=False)):
            stride, around = (2, 1) if number else (1, 0)
            layers.append(nn.ConvTranspose2d(into, out, 4, stride, around))
            layers += [nn.BatchNorm2d(out), nn.ReLU()]
        layers.append(nn.ConvTranspose2d(sizes[-1], 1, 4, 2, 1))
        layers.append(nn.Conv2d(1, 1, _SIDE + 1 - kernel_size))
        self.main_module = nn.Sequential(*layers)

    @classmethod
    def example(cls, scale: int = 2, same_size: bool = False) -> KernelGenerator:
        """Return a small instance that is quick to run."""
        return cls(scale, same_size, kernel_size=5, width=4, code_size=3)

    @classmethod
    def from_published(
        cls, state: Mapping[str, Tensor], where: str, arguments: Mapping[str, Any]
    ) -> KernelGenerator:
        """Build the generator that weights of the published program belong to.

        Args:
            state: The tensors of a ``generator.pkl``.
            where: Their file, for messages.
            arguments: Arguments that the tensors do not show: scale and grid.

        Returns:
            The generator, in evaluation mode.

        Raises:
            CheckpointError: If these are not a generator's tensors, or contradict an argument.
        """
        try:
            first, last = state["main_module.0.weight"], state["main_module.10.weight"]
            code, width, side = (int(n) for n in (*first.shape[:2], last.shape[-1]))
        except (KeyError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"{where} does not hold the tensors of a KernelGenerator ({error}): the published"
                " program writes them to generator.pkl."
            ) from error
        found = {"kernel_size": _SIDE + 1 - side, "width": width, "code_size": code}
        for name, value in found.items():
            if arguments.get(name) not in (None, value):
                raise CheckpointError(
                    f"the generator in {where} has {name}={value}, and {arguments[name]} is asked"
                    " for: leave it out to use the file's."
                )
        made = cls(**{**arguments, **found})
        load_state(made, dict(state), where)
        made.eval().requires_grad_(False)
        made.mark_trained()
        return made

    @property
    def step(self) -> int:
        """HR pixels between the pixels that are filtered: each one with ``same_size``."""
        return self.stride

    def code_of(self, seed: int) -> Tensor:
        """Return the standard normal code of a seed, shape (code_size,), float32."""
        return white_noise((self.code_size,), seed)

    def raw_kernels(self, codes: Tensor) -> Tensor:
        """Turn codes into what the critic sees; in training mode normalised over the batch.

        Args:
            codes: Shape (B, code_size).

        Returns:
            Shape (B, k, k), in (-1, 1), of any sum.
        """
        return torch.tanh(self.main_module(codes[:, :, None, None]))[:, 0]

    def kernels(self, codes: Tensor) -> Tensor:
        """Turn codes into kernels of sum 1, by the normalisations' running statistics.

        Values below 0 become 0. A kernel without a positive value, as an untrained generator may
        make it, is raised until its smallest value is 0.

        Args:
            codes: Shape (B, code_size).

        Returns:
            Shape (B, k, k).
        """
        training = self.main_module.training
        self.main_module.eval()
        try:
            raw = self.raw_kernels(codes)
        finally:
            self.main_module.train(training)
        raised = raw - raw.amin((1, 2), keepdim=True)
        raw = torch.where(raw.amax((1, 2), keepdim=True) > 0, raw, raised).clamp(min=0) + _LEAST
        return raw / raw.sum((1, 2), keepdim=True)

    def describe(self) -> str:
        """Return a one-line description."""
        side = self.kernel_size
        return f"{super().describe()}, generated kernels of {side} x {side}"
