"""DegFlow: a latent that flows from HR over ever stronger degradation, for scales between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from annotated_types import Interval, MinLen
from torch import Tensor

from realdeg.degradations.base import AnyScale
from realdeg.degradations.bicubic import reduce_bicubic
from realdeg.degradations.degflow_autoencoder import (
    REDUCTION,
    Features,
    LatentDecoder,
    LatentEncoder,
)
from realdeg.degradations.degflow_velocity import LatentVelocity
from realdeg.degradations.generator import GeneratorDegradation
from realdeg.degradations.primitives.borders import pad
from realdeg.degradations.primitives.integration import integrate_adaptive, integrate_fixed
from realdeg.degradations.primitives.spline import natural_spline
from realdeg.degradations.trace import Trace
from realdeg.errors import GeometryError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count, Fraction, Positive

Solver = Literal["rk45", "rk4", "euler"]

# The time at which integration begins; HR's latent is that of time 0.
_START = 1e-3
# Above every weight of a velocity's last layer before its first step, below those after it.
_UNTRAINED = 1e-5
# LR pixels that DML's windows of 15 see beyond the border: what is shaved is then the same.
_BORDER = 7


class FlowStep(NamedTuple):
    """What one training step of the flow compares."""

    velocity: Tensor
    """The predicted velocity, (B, latent, h, w)."""
    wanted: Tensor
    """The spline's, of the same shape."""
    ahead: Tensor
    """The image at the next knot, by the predicted velocity; RGB about in [0, 1], (B, 3, H, W)."""
    target: Tensor
    """The real image there."""


@DEGRADATIONS.register_module()
class DegFlow(GeneratorDegradation):
    """Moves HR's latent along a learned flow until the scale's time, and decodes it.

    An autoencoder turns images into latents of an eighth of their sides; its decoder also sees the
    features of HR. A velocity network says how the latent changes over the time
    ``t = (scale - 1) / (largest_scale - 1)``, so one set of weights serves any real scale from 1 to
    ``largest_scale``. It draws nothing: the same HR gives the same LR.

    Training has two stages, both on pairs of several scales on one grid (``ScaleSetDataset``):
    ``LatentAutoencoding`` fits the autoencoder, ``LatentFlowMatching`` the velocity, along the
    natural cubic spline through the latents of HR and LR. After the first stage alone, LR is HR as
    the autoencoder repeats it.

    The authors' LR lies on the HR grid (RealSR V2). Extensions here: smaller LR is the bicubic
    reduction of that; sides of any length are padded by reflection to a multiple of what the
    networks halve (64), where the authors crop; ``residual``; solvers in fixed steps. The networks
    normalise over the whole image and the velocity attends to all of it, so every pixel depends on
    the padding and on the rest of the image; :attr:`border` is the one of DML.

    Args:
        scale: Downscaling factor, any number from 1 to ``largest_scale``.
        same_size: Whether LR lies on the HR grid.
        width: Channels of the autoencoder at full resolution.
        latent: Channels of the latent.
        flow_width: Channels of the velocity network.
        flow_multipliers: Channels of each of its levels over ``flow_width``.
        flow_blocks: Residual blocks of each level.
        dropout: Dropout in its blocks, in training.
        largest_scale: The scale of time 1; trained on pairs up to it.
        residual: Whether the decoder's result, initially zero, is added to HR: an untrained one
            repeats HR, which suits short training. The authors' is the image itself.
        solver: ``"rk45"`` follows an error estimate, image by image (the authors'); ``"rk4"`` and
            ``"euler"`` take ``steps`` equal steps.
        steps: Number of equal steps, where the solver takes them.
        tolerance: Relative and absolute tolerance of ``"rk45"``.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``;
        C = 1 is treated as the grey image of that luma.

    Raises:
        ConfigError: If an argument is out of range.
        GeometryError: If the scale is above ``largest_scale``.

    Source:
        Kim, Kim, Jin, Kim, Continuous Degradation Modeling via Latent Flow Matching for Real-World
        Super-Resolution, AAAI 2026, arXiv 2602.04193; present091/DegFlow, commit d3ee421. Names in
        the state dict are those of the authors' files, below ``encoder``, ``decoder`` and
        ``model``.
    """

    any_scale = True
    fixed_geometry: ClassVar[bool] = False

    def __init__(
        self,
        scale: AnyScale = 4,
        same_size: bool = False,
        width: Count = 128,
        latent: Count = 4,
        flow_width: Annotated[int, Interval(ge=4)] = 128,
        flow_multipliers: Annotated[Sequence[Count], MinLen(1)] = (1, 2, 2, 2),
        flow_blocks: Count = 4,
        dropout: Fraction = 0.1,
        largest_scale: Annotated[float, Interval(gt=1, le=16)] = 4.0,
        residual: bool = False,
        solver: Solver = "rk45",
        steps: Count = 8,
        tolerance: Positive = 1e-5,
    ) -> None:
        super().__init__(scale, same_size)
        if scale > largest_scale:
            raise GeometryError(
                f"DegFlow: scale {scale:g} is above largest_scale={largest_scale:g}, which the flow"
                " ends at: take a smaller scale."
            )
        self.largest_scale, self.residual = float(largest_scale), residual
        self.solver, self.steps, self.tolerance = solver, steps, float(tolerance)
        self.encoder = LatentEncoder(width, latent)
        self.decoder = LatentDecoder(width, latent)
        self.model = LatentVelocity(latent, flow_width, flow_multipliers, flow_blocks, dropout)
        if residual:
            last = self.decoder.refine[-1]
            for parameter in last.parameters():
                torch.nn.init.zeros_(parameter)

    @classmethod
    def example(cls, scale: float = 4, same_size: bool = False) -> DegFlow:
        """Return a small instance that is quick to run."""
        return cls(
            scale,
            same_size,
            width=4,
            flow_width=4,
            flow_multipliers=(1, 2),
            flow_blocks=1,
            solver="rk4",
            steps=1,
        )

    @property
    def border(self) -> int:
        """LR pixels that are shaved: DML's, though the networks see the whole image."""
        return -(-_BORDER // int(self.stride))

    @property
    def flow_is_trained(self) -> bool:
        """Whether the velocity's last layer has left its start."""
        weight = next(self.model.all_modules[-1].parameters())
        return bool(weight.detach().abs().max() > _UNTRAINED)

    def train_only(self, part: Literal["autoencoder", "flow"]) -> None:
        """Have one part receive gradients, and the other not.

        Args:
            part: What is trained: the first stage's part or the second's.
        """
        self.encoder.requires_grad_(part == "autoencoder")
        self.decoder.requires_grad_(part == "autoencoder")
        self.model.requires_grad_(part == "flow")

    def time_of(self, scale: float) -> float:
        """Return the time of a scale, from 0 (HR) to 1 (``largest_scale``)."""
        return (scale - 1) / (self.largest_scale - 1)

    def clean(self, hr: Tensor) -> Tensor:
        """Return the bicubic reduction, enlarged again when ``same_size``."""
        return reduce_bicubic(hr, self.scale, self.same_size)

    def degrade(self, hr: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Degrade a batch; the traces hold nothing that the object does not."""
        return self.generate(hr)

    def forward(self, hr: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Degrade a batch; nothing is random, so no seed is used."""
        self.check_input(hr)
        return self.generate(hr)

    def generate(self, hr: Tensor) -> Tensor:
        """Degrade a batch, differentiably, and clip it to [0, 1] as the authors do.

        Args:
            hr: HR batch, RGB or Y, shape (B, C, H, W).

        Returns:
            The LR batch.
        """
        if not hr.shape[0]:
            return reduce_bicubic(hr, self.scale, self.same_size)
        lr = self.in_rgb(hr, self._flown)
        return lr if self.same_size else reduce_bicubic(lr, self.scale, False)

    def encode(self, image: Tensor) -> tuple[Tensor, Features]:
        """Return the latent and features of RGB images in [0, 1], padded to whole latents.

        Args:
            image: Shape (B, 3, H, W).

        Returns:
            The latent, of an eighth of the padded sides, and the features.
        """
        found: tuple[Tensor, Features] = self.encoder(2 * self._padded(image) - 1)
        return found

    def decode(self, latent: Tensor, features: Features, hr: Tensor) -> Tensor:
        """Return the image of a latent, in [0, 1] as far as training made it so.

        Args:
            latent: Shape (B, latent, h, w).
            features: Those of HR.
            hr: The HR images, shape (B, 3, H, W), which give the size and are added to where
                ``residual``.
        """
        height, width = hr.shape[-2:]
        image: Tensor = self.decoder(latent, features)[..., :height, :width]
        return hr + image / 2 if self.residual else (image + 1) / 2

    def reconstruct(self, hr: Tensor, lr: Tensor) -> Tensor:
        """Encode and decode LR beside its HR: what the first stage trains.

        Args:
            hr: RGB in [0, 1], shape (B, 3, H, W).
            lr: LR on the HR grid, or HR itself, of the same shape.

        Returns:
            The same shape, not clipped.
        """
        return self.decode(self.encode(lr)[0], self.encode(hr)[1], hr)

    def flow_step(
        self, hr: Tensor, lr: Tensor, scales: Sequence[float], shares: Tensor
    ) -> FlowStep:
        """Compare the velocity with that of the spline: what the second stage trains.

        The spline goes through the latents of HR and of LR at each scale. The velocity is asked
        for at one time of each image, and the latent is carried on to the next knot by a Taylor
        series with the predicted velocity and the spline's second and third derivatives. The
        autoencoder gets no gradient.

        Args:
            hr: RGB in [0, 1], shape (B, 3, H, W).
            lr: LR on the HR grid, shape (B, K, 3, H, W).
            scales: The K scales, ascending.
            shares: The time of each image over the last scale's, in (0, 1), shape (B,).
        """
        images = torch.cat([hr[None], lr.transpose(0, 1)])
        with torch.no_grad():
            latents, features = [], []
            for image in images:
                latent, seen = self.encode(image)
                latents.append(latent)
                features.append(seen)
        positions = [0.0, *(self.time_of(scale) for scale in scales)]
        times = shares * positions[-1]
        point = natural_spline(torch.stack(latents), positions, times)
        velocity: Tensor = self.model(point.value, times)
        place = torch.tensor(positions, device=hr.device, dtype=times.dtype)
        after = torch.searchsorted(place, times, right=True).clamp(max=len(positions) - 1)
        rest = (place[after] - times).view(-1, 1, 1, 1)
        bend = rest**2 / 2 * point.second + rest**3 / 6 * point.third
        ahead = point.value + rest * velocity + bend
        target = images[after, torch.arange(len(hr), device=hr.device)]
        return FlowStep(velocity, point.first, self.decode(ahead, features[0], hr), target)

    def describe(self) -> str:
        """Return a one-line description."""
        solver = "rk45" if self.solver == "rk45" else f"{self.steps} steps of {self.solver}"
        rest = "" if self.flow_is_trained else "; the flow is untrained, so LR is almost HR"
        time = self.time_of(self.scale)
        return f"{super().describe()}, latent flow to time {time:.2f}, {solver}{rest}"

    def _flown(self, rgb: Tensor) -> Tensor:
        latent, features = self.encode(rgb)
        image = self.decode(self._move(latent), features, rgb)
        return image.clamp(0, 1)

    def _move(self, latent: Tensor) -> Tensor:
        """Carry latents from HR's time to the scale's."""
        end = self.time_of(self.scale)
        if end <= _START:
            return latent

        def velocity(state: Tensor, time: float) -> Tensor:
            found: Tensor = self.model(state, state.new_full((len(state),), time))
            return found

        if self.solver == "rk45":
            # One by one: the steps of an image must not depend on its batch.
            images = torch.split(latent, 1)
            moved = [integrate_adaptive(velocity, z, _START, end, self.tolerance) for z in images]
            return torch.cat(moved)
        order = 4 if self.solver == "rk4" else 1
        return integrate_fixed(velocity, latent, _START, end, self.steps, order)

    def _padded(self, image: Tensor) -> Tensor:
        multiple = REDUCTION * self.model.reduction
        height, width = image.shape[-2:]
        return pad(image, (0, -height % multiple), (0, -width % multiple), "reflect")
