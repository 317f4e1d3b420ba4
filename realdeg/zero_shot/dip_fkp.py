"""DIP-FKP: an image and its blur kernel from one LR image, by two priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from realdeg.backbones.base import Backbone, BackboneLike, Colour
from realdeg.backbones.build import backbone_from_config
from realdeg.degradations.base import DegradationLike
from realdeg.degradations.estimation.dip_fkp import DIPFKPSettings, Levels, Prior, fit_dip_fkp
from realdeg.degradations.estimation.flow_search import check_flow, flow_for
from realdeg.degradations.primitives.kernels import centred
from realdeg.errors import ConfigError
from realdeg.registry import ZERO_SHOT
from realdeg.utils.argument_types import Choice, Count, Geometry, Positive, Whole
from realdeg.zero_shot.base import Watch, ZeroShot

_WEIGHTS = ("checkpoint", "pretrained", "start_from")


@ZERO_SHOT.register_module()
class DIPFKP(ZeroShot):
    """Fits an untrained network and the code of a flow of kernels to the LR image together.

    The network makes an image, the flow a kernel; the image blurred by the kernel, of which every
    s-th pixel is kept, has to be the LR image. The kernel stays for 75 iterations, until the image
    resembles one, and the loss is 1 - SSIM for 80, then the squared difference. The result is the
    last image; or, with ``solver``, what a network that takes a kernel makes of LR and the found
    kernel, as in the paper's tables. The error that ``trainings`` holds is the mean squared
    difference from LR.

    :class:`realdeg.degradations.estimation.DIPFKP` lists the differences from the published
    program.

    Args:
        scale: 2, 3 or 4, those of the published flows.
        flow: The flow of kernels: the file of a trained or converted
            :class:`~realdeg.degradations.FlowKernel`, or its config. Not needed where a call gives
            the kernel as ``cond``.
        solver: A network that is told the kernel from HR to LR (USRNet, IRCNNHQS), such as
            ``dict(type="USRNet", preset="tiny", checkpoint="usrnet_tiny.pth")``; None: the fitted
            image is the result.
        iterations: Number of iterations.
        frozen: Iterations in which the kernel stays.
        similarity: Iterations whose loss is 1 - SSIM.
        width: Channels of the network.
        skip: Channels of its skips.
        levels: How often it halves the image.
        colour: ``"rgb"`` or ``"y"``.
        seed: As for :class:`ZeroShot`.
        seconds: As for :class:`ZeroShot`.
        memory: As for :class:`ZeroShot`.

    Attributes:
        kernels: The kernels of the last call, one for each image, (k, k), sum 1, in the LR pixels'
            windows.

    Shape:
        (B, 1 or 3, h, w) -> (B, 1 or 3, s*h, s*w)

    Raises:
        ConfigError: If an argument is out of range.
        GeometryError: If the scale is not 2, 3 or 4.

    Source:
        Liang, Zhang, Gu, Van Gool, Timofte, Flow-based Kernel Prior with Application to Blind
        Super-Resolution, CVPR 2021; JingyunLiang/FKP, commit 127c121, DIPFKP.
    """

    colour: Colour = "rgb"
    example_arguments = {
        "scale": 2,
        "flow": {"type": "FlowKernel", "kernel_size": 5, "hidden": 2, "blocks": 1},
        "iterations": 3,
        "frozen": 1,
        "similarity": 2,
        "width": 4,
        "skip": 2,
        "levels": 3,
    }

    def __init__(
        self,
        scale: Annotated[int, Choice(2, 3, 4), Geometry()] = 2,
        flow: DegradationLike | None = None,
        solver: BackboneLike | None = None,
        iterations: Count = 1000,
        frozen: Whole = 75,
        similarity: Whole = 80,
        width: Count = 128,
        skip: Count = 16,
        levels: Levels = 5,
        colour: Colour | None = None,
        seed: Whole = 0,
        seconds: Positive | None = None,
        memory: Positive | None = None,
    ) -> None:
        super().__init__(scale, colour, seed, seconds, memory)
        self.settings = DIPFKPSettings(iterations, frozen, similarity, width, skip, levels, seed)
        self.smallest = self.settings.smallest(scale)
        self.flow = [flow]  # in lists, so that they are no parts of this module
        self.solver = [solver]
        self.kernels: list[Tensor] = []

    @classmethod
    def check_config(cls, config: Mapping[str, Any], place: str) -> None:
        """Refuse a solver without weights."""
        solver = config.get("solver")
        if isinstance(solver, Mapping) and not any(solver.get(key) for key in _WEIGHTS):
            raise ConfigError(
                f"'{place}.solver' names no weights, so what it makes would mean nothing: add"
                " checkpoint='weights' to it."
            )

    @classmethod
    def check_files(cls, config: Mapping[str, Any], place: str) -> None:
        """Refuse a missing flow before images are read.

        Args:
            config: The method's config.
            place: Its place in the config.

        Raises:
            ConfigError: With the place and how to get a flow.
        """
        scale = config.get("scale")
        check_flow(config.get("flow"), scale if scale is not None else 2, f"'{place}', DIPFKP,")

    @property
    def most_iterations(self) -> int:
        """The number of iterations for one image."""
        return self.settings.iterations

    def bytes_needed(self, height: int, width: int) -> int:
        """Return an estimate: the activations that one training step keeps."""
        enlarged = height * width * self.scale**2
        compared = (enlarged // 64) ** 2 // 4  # pairs of places in the third level
        return 8 * enlarged * (13 * self.settings.width + 9) + 12 * compared

    def enlarge(self, image: Tensor, kernel: Tensor | None, watch: Watch) -> Tensor:
        """Fit image and kernel to (1, C, h, w) and return (1, C, H, W) in [0, 1]."""
        if not self.trainings:
            self.kernels = []
        solver = self._solver(image)
        if kernel is not None and solver is not None:
            return self._solved(solver, image, kernel)

        def tick() -> bool:
            watch.count()
            return watch.late()

        prior: Prior
        prior = flow_for(self.flow[0], self.scale, "DIPFKP") if kernel is None else kernel.to(image)
        watch.start()
        fit = fit_dip_fkp(image, self.scale, prior, self.settings, tick)
        watch.training.error = fit.error
        if solver is not None:
            return self._solved(solver, image, centred(fit.kernel.cpu(), self.scale))
        self.kernels.append(fit.kernel.cpu())
        return fit.image

    def _solver(self, image: Tensor) -> Backbone | None:
        """Return the network that makes the image; it is read before the long training."""
        given = self.solver[0]
        if given is None:
            return None
        found = given if isinstance(given, Backbone) else backbone_from_config(given, self.scale)
        if not (found.takes_kernel or found.told_reduction):
            raise ConfigError(
                f"the solver of DIPFKP is {type(found).__name__}, which is not told the kernel from"
                " HR to LR: take USRNet or IRCNNHQS, or leave the solver out."
            )
        found = found.to(image).eval()
        mean = torch.full((self.scale, self.scale), self.scale**-2)  # one that it has to accept
        found.check_input(image, self.scale, found.cond_of_kernel(mean).to(image))
        return found

    @torch.no_grad()
    def _solved(self, solver: Backbone, image: Tensor, kernel: Tensor) -> Tensor:
        self.kernels.append(kernel.cpu())
        # Each network's own convention: IRCNNHQS convolves, and looks at the first pixel.
        cond = solver.cond_of_kernel(kernel.cpu())
        made = solver(image, scale=self.scale, cond=cond.to(image))
        return made if isinstance(made, Tensor) else made.sr
