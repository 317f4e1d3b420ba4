"""The contract of discriminators."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from realdeg.discriminators import Discriminator
from realdeg.discriminators.fixed_size import FixedSizeDiscriminator
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DISCRIMINATORS
from realdeg.testing.contract import Contract


def random_images(channels: int = 3, size: int = 16) -> Tensor:
    """Return two fixed random images.

    Args:
        channels: 3 or 1.
        size: Height and width in pixels.

    Shape:
        (2, channels, size, size)
    """
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, channels, size, size, generator=generator)


class DiscriminatorContract(Contract, page="docs/your_own_loss.md"):
    """What every discriminator promises to adversarial losses and tasks.

    ``arguments`` should make it narrow.
    """

    component: type[Discriminator]
    registry = DISCRIMINATORS

    def build(self, **changes: object) -> Discriminator:
        """Build the component as a config does, with the same random weights every time.

        Args:
            **changes: Arguments that differ.
        """
        torch.manual_seed(0)
        network = DISCRIMINATORS.build({**self.config, **changes})
        assert isinstance(network, Discriminator)
        return network

    @pytest.mark.parametrize("channels", [1, 3])
    def test_logits_and_gradients(self, channels: int) -> None:
        """RGB and Y give logits, per location or image, and every parameter gets a gradient."""
        network = self.build(in_channels=channels)
        images = random_images(channels, max(16, network.least_size)).requires_grad_()
        logits = network(images)
        assert logits.shape[:2] == (2, 1) and logits.dtype == torch.float32
        logits.square().sum().backward()
        assert images.grad is not None and images.grad.abs().sum() > 0
        assert all(p.grad is not None for p in network.parameters())

    def test_any_size_from_the_least_on(self) -> None:
        """Images of `least_size` and larger are accepted; fixed-size networks refuse others."""
        network = self.build().eval()
        least = network.least_size
        sizes: tuple[int, ...] = (least, least + 1, max(37, least))
        if isinstance(network, FixedSizeDiscriminator):
            sizes = (least,)
            with pytest.raises(DataError, match="only"):
                network(random_images(size=least + 1))
        for size in sizes:
            assert torch.isfinite(network(random_images(size=size))).all()

    def test_bad_input_is_named(self) -> None:
        """Wrong channels, small images and other colours are refused with a clear message."""
        network = self.build()
        with pytest.raises(DataError, match="in_channels"):
            network(random_images(1))
        with pytest.raises(DataError, match="raise patch_size"):
            network(random_images(size=network.least_size)[..., : network.least_size - 1])
        with pytest.raises(ConfigError, match="in_channels"):
            self.build(in_channels=2)
