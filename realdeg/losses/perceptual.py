"""Perceptual distances, measured in the features of a trained network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from realdeg.errors import GeometryError
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative
from realdeg.utils.lpips import PerceptualUnavailableError, load_lpips, trunk_file
from realdeg.utils.precision import full_precision

_WITHOUT = (
    "To train without this term, set its weight to 0 ({place}.weight=0); the result is then not"
    " the published recipe's."
)


@LOSSES.register_module()
class LPIPSLoss(nn.Module):
    """The LPIPS distance (AlexNet, v0.1) of two RGB images, as a loss.

    The network is frozen and not part of the state dict. It is loaded by :meth:`prepare` before
    training, or at the first call. With weight 0 it is never loaded, and the loss is 0.

    Args:
        weight: Factor of the result; 0 leaves the term out.
        weights: AlexNet's state dict as torchvision publishes it; None looks in torch.hub's
            cache. Nothing is downloaded.

    Shape:
        (B, 3, H, W), (B, 3, H, W) in [0, 1] -> (); sides of 32 pixels or more.

    Raises:
        ConfigError: If the weight is negative.

    Source:
        Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018 (package ``lpips``); DSGAN's weight is 0.01.
    """

    kind: ClassVar[str] = "image"
    needs_rgb: ClassVar[bool] = True

    def __init__(self, weight: NonNegative = 1.0, weights: str | None = None) -> None:
        super().__init__()
        self.weight, self.weights = float(weight), weights
        # A tuple hides the network from nn.Module's registration.
        self._network: tuple[nn.Module, ...] = ()

    @classmethod
    def check_files(cls, config: Mapping[str, Any], place: str) -> None:
        """Refuse missing weights of AlexNet, before data are opened.

        Args:
            config: The loss's config.
            place: Its place in the config.

        Raises:
            PerceptualUnavailableError: With the place, what was looked for, and what to do.
        """
        if config.get("weight", 1) == 0:
            return
        try:
            trunk_file(config.get("weights"))
        except PerceptualUnavailableError as error:
            raise PerceptualUnavailableError(
                f"'{place}': {error} {_WITHOUT.format(place=place)}"
            ) from error

    def prepare(self) -> None:
        """Load the network now, so that missing files are reported before training starts.

        Raises:
            PerceptualUnavailableError: If the package or the weights are missing.
        """
        if self.weight == 0 or self._network:
            return
        try:
            self._network = (load_lpips(self.weights),)
        except PerceptualUnavailableError as error:
            raise PerceptualUnavailableError(
                f"{error} {_WITHOUT.format(place='model.perceptual_loss')}"
            ) from error

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the weighted mean distance.

        Args:
            prediction: RGB in [0, 1], shape (B, 3, H, W).
            target: The same shape.

        Raises:
            GeometryError: If the shapes differ or are not RGB.
            PerceptualUnavailableError: If the package or the weights are missing.
        """
        if prediction.shape != target.shape or prediction.ndim != 4 or prediction.shape[1] != 3:
            raise GeometryError(
                f"LPIPSLoss compares two RGB batches (B, 3, H, W), got {tuple(prediction.shape)}"
                f" and {tuple(target.shape)}."
            )
        if self.weight == 0 or not prediction.numel():
            return 0.0 * prediction.float().sum()
        self.prepare()
        network = self._network[0].to(prediction.device)
        # Its thresholds and differences need float32, also under autocast.
        with full_precision(prediction):
            distance: Tensor = network(prediction.float() * 2 - 1, target.float() * 2 - 1)
            return self.weight * distance.mean()

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> LPIPSLoss:
        for network in self._network:
            network._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def extra_repr(self) -> str:
        """Show the weight."""
        return f"weight={self.weight:g}"
