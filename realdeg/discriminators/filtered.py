"""A discriminator behind a filter, which sees only texture, or only colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from torch import Tensor, nn

from realdeg.degradations.primitives.pass_filters import FILTERS, high_pass, low_pass
from realdeg.discriminators.base import Channels, Discriminator, DiscriminatorLike
from realdeg.errors import ConfigError
from realdeg.registry import DISCRIMINATORS
from realdeg.utils.argument_types import Choice, OddSize


@DISCRIMINATORS.register_module()
class FilteredDiscriminator(Discriminator):
    """Any discriminator, behind a high-pass or a low-pass filter.

    With ``band="high"`` it judges ``0.5 + 0.5 (x - low(x))``, or the three detail bands of a Haar
    wavelet at half the size. So the adversarial loss cannot change colours, which the pixel loss
    keeps (``FilteredLoss``). With ``band="low"`` it judges ``low(x)``.

    Pixels outside of the image are ignored, as in DSGAN. ESRGAN-FS's code counts them as zeros,
    which changes the outermost four pixels.

    Args:
        discriminator: The discriminator's config, or the module. Its ``in_channels`` follows from
            this one's: three times as many behind the wavelet's high-pass.
        in_channels: 3 for RGB, 1 for Y.
        filter: ``"average"`` (ESRGAN-FS), ``"gaussian"`` or ``"wavelet"`` (DASR; ``"high"`` only).
        filter_size: Side of the filter's window in pixels, odd; 9 in ESRGAN-FS. The wavelet
            ignores it.
        band: What passes: ``"high"`` or ``"low"``.

    Shape:
        (B, C, H, W) to the discriminator's logits.

    Raises:
        ConfigError: If an argument is out of range, or the discriminator takes other channels.

    Source:
        Fritsche, Gu, Timofte, Frequency Separation for Real-World Super-Resolution, ICCVW 2019
        (ManuelFritsche/real-world-sr, ``esrgan-fs``, d378903); Wei et al., Unsupervised Real-world
        Image Super Resolution via Domain-distance Aware Training, CVPR 2021, for the wavelet.
    """

    def __init__(
        self,
        discriminator: DiscriminatorLike,
        in_channels: Channels = 3,
        filter: Annotated[str, Choice(*FILTERS)] = "average",
        filter_size: OddSize = 9,
        band: Literal["high", "low"] = "high",
    ) -> None:
        super().__init__(in_channels)
        if filter == "wavelet" and band == "low":
            raise ConfigError(
                "FilteredDiscriminator: the wavelet is a high-pass filter here; for band='low' take"
                " filter='average' or 'gaussian'."
            )
        self.filter, self.filter_size, self.band = filter, filter_size, band
        passed = in_channels * (3 if filter == "wavelet" else 1)
        if not isinstance(discriminator, nn.Module):
            discriminator = _with_channels(discriminator, passed)
        if getattr(discriminator, "in_channels", passed) != passed:
            raise ConfigError(
                f"FilteredDiscriminator hands {passed} channels to {type(discriminator).__name__},"
                f" which takes {discriminator.in_channels}: build it with in_channels={passed}."
            )
        self.discriminator = discriminator

    @classmethod
    def only_size(cls, settings: Mapping[str, Any]) -> int | None:
        """Return that of the discriminator behind the filter, twice as much behind the wavelet.

        Args:
            settings: Arguments of the constructor, from a config.
        """
        inner = settings.get("discriminator")
        if not isinstance(inner, Mapping) or "type" not in inner:
            return None
        kind = DISCRIMINATORS.get(str(inner["type"]))
        size: int | None = kind.only_size(inner) if hasattr(kind, "only_size") else None
        return None if size is None else size * (2 if settings.get("filter") == "wavelet" else 1)

    @property
    def least_size(self) -> int:
        """That of the discriminator, twice as much behind the wavelet, which halves the image."""
        return cast(int, getattr(self.discriminator, "least_size", 1)) * self._divisor

    @property
    def _divisor(self) -> int:
        return 2 if self.filter == "wavelet" else 1

    def judge(self, images: Tensor) -> Tensor:
        """Filter, then return the discriminator's logits."""
        if self.band == "low":
            images = low_pass(images, self.filter_size, self.filter)
        else:
            images = high_pass(images, self.filter_size, self.filter)
        logits: Tensor = self.discriminator(images)
        return logits


def _with_channels(cfg: Mapping[str, object], channels: int) -> nn.Module:
    own = cfg.get("in_channels", channels)
    if own != channels:
        raise ConfigError(
            f"FilteredDiscriminator hands {channels} channels to the {cfg.get('type')} behind it,"
            f" whose in_channels is {own!r}: remove discriminator.in_channels."
        )
    network: nn.Module = DISCRIMINATORS.build({**cfg, "in_channels": channels})
    return network
