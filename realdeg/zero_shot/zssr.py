"""ZSSR: a small network that learns to enlarge one image from that image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from realdeg.backbones.base import Colour
from realdeg.backbones.refinement import TURNS, turned, turned_back
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import GeometryError
from realdeg.registry import ZERO_SHOT
from realdeg.utils.argument_types import Choice, Count, NonNegative, Positive, Scale, Whole
from realdeg.utils.scales import hr_length
from realdeg.utils.streams import stream_seed
from realdeg.zero_shot.base import Watch, ZeroShot
from realdeg.zero_shot.gradient_map import GradientCrops
from realdeg.zero_shot.kernel_source import KernelLike, KernelSource, check_kernel_source
from realdeg.zero_shot.reductions import reduce
from realdeg.zero_shot.slope_rule import SlopeRule
from realdeg.zero_shot.zssr_crops import Augmentation, Crops
from realdeg.zero_shot.zssr_network import Form, ZSSRNetwork

Factors = tuple[float, float]

_TEST_EVERY = 50
_RATE = 1e-3
# The program of 2018 ran with a NumPy that divides the residual by n - 4, today's by n - 2.
_SPARE = {"official": 4, "exercise": 2}


@dataclass(frozen=True)
class Preset:
    """The settings in which the published configurations differ.

    Attributes:
        crops: How crops are drawn.
        ensemble: Whether the result is the median over the image's rotations and reflections.
        corrections: Back-projections after each step of scales.
        noise: Standard deviation of the noise added to the reduced crops, white being 1.
        steps: The factors of the gradual scales; empty: one step.
        gradients: Whether crops are drawn, and errors weighted, by the strength of gradients.
    """

    crops: Augmentation = Augmentation()
    ensemble: bool = True
    corrections: tuple[int, ...] = (10,)
    noise: float = 0.0
    steps: tuple[Factors, ...] = ()
    gradients: bool = False


_GRADUAL = ((1.0, 1.5), (1.5, 1.0), (1.5, 1.5), (1.5, 2.0), (2.0, 1.5), (2.0, 2.0))
_STRAIGHT = Augmentation(turns=False)

PRESETS: dict[str, Preset] = {
    "ideal": Preset(),
    "gradual": Preset(corrections=(6, 6, 8, 10, 10, 12), steps=_GRADUAL),
    "kernel": Preset(_STRAIGHT, ensemble=False, corrections=(2,)),
    "kernelgan": Preset(_STRAIGHT, ensemble=False, corrections=(2,), gradients=True),
    "real": Preset(
        Augmentation(least_scale=0.75, scale_difference=0, shear=0, turns=False),
        ensemble=False,
        corrections=(0,),
        noise=0.0125,
    ),
}


@ZERO_SHOT.register_module()
class ZSSR(ZeroShot):
    """Learns from pairs of the image and its own reduction, then enlarges the image.

    Each iteration takes a crop of the image, reduces it, interpolates it back and trains a small
    network to undo that. The network is then applied to the interpolated image itself.

    =============  ========  =======  ===========  =====  ========================================
    preset         ensemble  turned   corrections  noise  for
    =============  ========  =======  ===========  =====  ========================================
    ``ideal``      yes       yes      10           0      LR made by bicubic reduction
    ``gradual``    yes       yes      6 to 12      0      the same in six steps, scale 2 only
    ``kernel``     no        no       2            0      a known kernel
    ``kernelgan``  no        no       2            0      KernelGAN's kernel; crops at gradients
    ``real``       no        no       0            3.2    photos (no shear, scales 0.75 to 1)
    =============  ========  =======  ===========  =====  ========================================

    The rate starts at 1e-3 and falls by 10 when a line through the last reconstruction errors no
    longer falls (:class:`SlopeRule`); below 9e-6 the training ends. The error that it watches, and
    that ``trainings`` holds, is the mean squared error of the image rebuilt from its reduction.

    In ``kernelgan`` strong gradients decide where crops are drawn, and how much a pixel weighs in
    the loss (:mod:`~realdeg.zero_shot.gradient_map`).

    Differences from the published program: a crop is cut to a multiple of the scale, turned around
    the pixels' middle, and is not larger than the image.

    Args:
        scale: 1 to 64; the image must remain large enough.
        preset: One of the five.
        kernel: How HR was reduced: a kernel's record for
            :func:`~realdeg.degradations.primitives.kernels.make_kernel`, such as
            ``dict(shape="gaussian", size=15, sigma_x=1.2)``; ``dict(file="kernel.npy")``, also
            ``.mat`` and ``.json``; the name or config of an estimator, which finds it in the image
            (``"kernelgan"``: at least 64 x 64 pixels, scales 2 to 4); None: bicubic. A call
            accepts another one as ``cond``. It is centred on the LR pixels. Not with ``gradual``.
        noise: Standard deviation of the noise in reduced crops, in units of 1/255; None: the
            preset's.
        corrections: Number of back-projections; None: the preset's.
        form: ``"official"``: 64 channels, absolute error. ``"exercise"``: 128 channels, activations
            before convolutions, squared error, and a rate that stays 1e-3 (the rule only ends it).
        iterations: Largest number of iterations for each step of scales.
        kernel_iterations: Iterations of ``kernel="kernelgan"``. Estimates are not part of the time
            budget.
        crop: Side of the crops in pixels.
        width: Channels; None: the form's.
        depth: Number of convolutions.
        colour: ``"rgb"`` or ``"y"``.
        seed: As for :class:`ZeroShot`.
        seconds: As for :class:`ZeroShot`; with ``gradual`` shared by its steps.
        memory: As for :class:`ZeroShot`.

    Shape:
        (B, 1 or 3, h, w) -> (B, 1 or 3, s*h, s*w)

    Raises:
        ConfigError: If an argument is out of range.
        DataError: If a file holds no kernel.
        GeometryError: If the preset or the estimator lacks the scale.

    Source:
        Shocher, Cohen, Irani, Zero-Shot Super-Resolution using Deep Internal Learning, CVPR 2018;
        assafshocher/ZSSR, commits 49fe199 and d99db08; the exercise's HarukiYqM/pytorch-ZSSR,
        commit 0afba42; for ``kernelgan`` Bell-Kligler, Shocher, Irani, NeurIPS 2019,
        sefibk/KernelGAN, commit 0e4827b.
    """

    colour: Colour = "rgb"
    example_arguments = {"scale": 2, "iterations": 3, "width": 4, "depth": 2, "crop": 16}

    def __init__(
        self,
        scale: Scale = 2,
        preset: Annotated[str, Choice(*PRESETS)] = "ideal",
        kernel: KernelLike | None = None,
        noise: NonNegative | None = None,
        corrections: Whole | None = None,
        form: Form = "official",
        iterations: Count = 3000,
        kernel_iterations: Annotated[int, Ge(100)] = 3000,
        crop: Count = 128,
        width: Count | None = None,
        depth: Count = 8,
        colour: Colour | None = None,
        seed: Whole = 0,
        seconds: Positive | None = None,
        memory: Positive | None = None,
    ) -> None:
        super().__init__(scale, colour, seed, seconds, memory)
        plan = PRESETS[preset]
        if plan.steps and scale != 2:
            raise GeometryError(
                f"ZSSR(preset='gradual') exists at scale 2, got {scale}: use preset='ideal'."
            )
        if plan.steps and kernel is not None:
            raise GeometryError(
                "ZSSR(preset='gradual') passes through scales such as 1.5, which a kernel does not"
                " have: use preset='kernel'."
            )
        self.plan, self.form, self.iterations = plan, form, iterations
        self.kernel_iterations, self.crop, self.depth = kernel_iterations, crop, depth
        self.width = (64 if form == "official" else 128) if width is None else width
        self.noise = plan.noise if noise is None else noise / 255
        self.steps: tuple[Factors, ...] = plan.steps or ((float(scale), float(scale)),)
        self.corrections = plan.corrections if corrections is None else (corrections,) * 6
        usual = {"seed": seed}
        if isinstance(kernel, str) and kernel.lower() == "kernelgan":
            usual["iterations"] = kernel_iterations
        self.source = KernelSource(kernel, scale, "ZSSR", **usual)
        self.smallest = max(4 * scale, self.source.smallest, 8)
        self.kernel: Tensor | None = None
        """The kernel of the last image, None for bicubic."""

    @classmethod
    def check_config(cls, config: Mapping[str, Any], place: str) -> None:
        """Refuse an unknown estimator, or one that lacks the scale, before anything is built."""
        check_kernel_source(config.get("kernel"), config.get("scale"), f"{place}.kernel")

    @property
    def most_iterations(self) -> int:
        """The largest number of iterations for one image."""
        return self.iterations * len(self.steps)

    def bytes_needed(self, height: int, width: int) -> int:
        """Return an estimate: activations of one pass over HR, and of one training step."""
        crop = min(self.crop, height) * min(self.crop, width)
        enlarged = height * width * self.scale**2
        passes = 3 * self.width * enlarged + 2 * self.depth * self.width * crop
        return 4 * (passes + (TURNS + 6) * self.channels * enlarged)

    def check_input(
        self, lr: Tensor, scale: float | None = None, cond: Tensor | None = None
    ) -> None:
        """Refuse kernels where the preset has none."""
        super().check_input(lr, scale, cond)
        if cond is not None and self.plan.steps:
            raise GeometryError(
                "ZSSR(preset='gradual') passes through scales such as 1.5, which a kernel does not"
                " have: use preset='kernel' for a kernel given as cond=."
            )

    def enlarge(self, image: Tensor, kernel: Tensor | None, watch: Watch) -> Tensor:
        """Train a network on (1, C, h, w) and return (1, C, H, W) in [0, 1]."""
        self.kernel = self.source.kernel_of(image, kernel)
        watch.start()
        run = _Run(self, image, watch)
        made = image
        for number, factors in enumerate(self.steps):
            share = (number + 1) / len(self.steps)
            made = run.step(factors, self.corrections[number], share)
        watch.training.error = run.error
        return made


class _Run:
    """The training on one image, through all steps of scales."""

    def __init__(self, method: ZSSR, image: Tensor, watch: Watch) -> None:
        self.method, self.image, self.watch = method, image, watch
        self.rng = torch.Generator().manual_seed(stream_seed(method.seed, "zssr") % (1 << 62))
        network = ZSSRNetwork(method.channels, method.width, method.depth, method.form, self.rng)
        self.network = network.to(image)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=_RATE)
        draws = np.random.default_rng(stream_seed(method.seed, "crops"))
        self.crops = (
            GradientCrops(image, method.crop, draws)
            if method.plan.gradients
            else Crops(image, method.plan.crops, method.crop, draws)
        )
        self.error: float | None = None

    def step(self, factors: Factors, corrections: int, share: float) -> Tensor:
        """Train for one pair of factors, and return the image enlarged by them."""
        self._train(factors, share)
        height, width = int(self.image.shape[-2]), int(self.image.shape[-1])
        size = hr_length(height, factors[0]), hr_length(width, factors[1])
        with torch.no_grad():
            made = self._result(size, corrections, factors[0] == factors[1])
        self.crops.add(made, min(factors))
        return made

    def _train(self, factors: Factors, share: float) -> None:
        method, rule = self.method, SlopeRule(_RATE, spare=_SPARE[self.method.form])
        best: dict[str, Tensor] = {}
        done, whole = 0, self._multiple(self.image, factors)
        self._set_rate(_RATE)
        for number in range(method.iterations):
            self._iterate(*self._drawn(factors), factors)
            self.watch.count()
            done += 1
            if number % _TEST_EVERY == 0:
                error = self._reconstruction(whole, factors)
                if error <= min(rule.errors, default=math.inf) and method.seconds is not None:
                    best = {k: v.clone() for k, v in self.network.state_dict().items()}
                rule.add(number, error)
            if rule.check(number) and method.form == "official":
                self._set_rate(rule.rate)
            if rule.finished:
                if self.watch.training.ended != "time":  # of an earlier step
                    self.watch.training.ended = "converged"
                break
            if self.watch.late(share):
                self.network.load_state_dict(best)
                break
        self.watch.training.most -= method.iterations - done
        self.error = min(rule.errors) if self.watch.training.ended == "time" else rule.errors[-1]

    def _drawn(self, factors: Factors) -> tuple[Tensor, Tensor | None]:
        """Draw a crop, and the weights of its pixels where the preset has them."""
        drawn = self.crops.draw()
        if isinstance(drawn, Tensor):
            return self._multiple(drawn, factors), None
        crop, weights = drawn
        return self._multiple(crop, factors), self._multiple(weights, factors)

    def _iterate(self, father: Tensor, weights: Tensor | None, factors: Factors) -> None:
        made = self.network(self._son(father, factors))
        loss = F.l1_loss if self.method.form == "official" else F.mse_loss
        if weights is None:
            error = loss(made, father)
        else:
            error = (weights * loss(made, father, reduction="none")).mean()
        self.optimiser.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def _son(self, father: Tensor, factors: Factors) -> Tensor:
        """Reduce a crop, add noise and interpolate it back."""
        height, width = int(father.shape[-2]), int(father.shape[-1])
        size = round(height / factors[0]), round(width / factors[1])
        small = reduce(father, size, self.method.kernel)
        if self.method.noise:
            drawn = torch.randn(small.shape, generator=self.rng)
            small = small + self.method.noise * drawn.to(small)
        return imresize(small.clamp(0, 1), size=(height, width))

    def _reconstruction(self, whole: Tensor, factors: Factors) -> float:
        with torch.no_grad():
            made = self.network(self._son(whole, factors)).clamp(0, 1)
            return float(F.mse_loss(made, whole))

    def _result(self, size: tuple[int, int], corrections: int, square: bool) -> Tensor:
        """Apply the network in several orientations, and correct each result and their median."""
        numbers = range(TURNS if self.method.plan.ensemble else 1)
        outputs = []
        for number in numbers:
            if not square and number & 4:
                continue  # a transposed image would need the factors exchanged
            input_size = (size[1], size[0]) if number & 4 else size
            seen = imresize(turned(self.image, number), size=input_size)
            output = turned_back(self.network(seen).clamp(0, 1), number)
            outputs.append(self._corrected(output, corrections))
        if len(outputs) == 1:
            return self._corrected(outputs[0], corrections)
        middle = torch.cat(outputs).sort(dim=0).values
        first = len(outputs) // 2
        return self._corrected(middle[first - 1 : first + 1].mean(0, keepdim=True), corrections)

    def _corrected(self, made: Tensor, count: int) -> Tensor:
        """Back-project, clipping after each correction as the published program does."""
        small = int(self.image.shape[-2]), int(self.image.shape[-1])
        size = int(made.shape[-2]), int(made.shape[-1])
        for _ in range(count):
            missing = self.image - reduce(made, small, self.method.kernel)
            made = (made + imresize(missing, size=size)).clamp(0, 1)
        return made

    def _set_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def _multiple(self, image: Tensor, factors: Factors) -> Tensor:
        """Cut an image to sides that the factors divide: multiples of 2 for 2, of 3 for 1.5."""
        sides = (
            int(length) // step * step
            for length, step in zip(
                image.shape[-2:], (_numerator(factor) for factor in factors), strict=True
            )
        )
        rows, columns = sides
        return image[..., :rows, :columns]


def _numerator(factor: float) -> int:
    return factor.as_integer_ratio()[0]
