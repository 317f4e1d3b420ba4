"""PCARN: CARN with linear fusions and a skip over all blocks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from realdeg.backbones.carn import CARN
from realdeg.errors import CheckpointError
from realdeg.registry import BACKBONES


class NamedResidual(nn.Module):
    """CARN's residual block under PCARN's keys.

    Args:
        features: Channels.
        groups: Groups of the 3x3 convolutions.
        mobile: Whether a 1x1 convolution follows.

    Shape:
        (B, C, H, W) -> (B, C, H, W)
    """

    def __init__(self, features: int, groups: int, mobile: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1, groups=groups)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1, groups=groups)
        self.pw = nn.Conv2d(features, features, 1) if mobile else None

    def forward(self, features: Tensor) -> Tensor:
        """Run on (B, C, H, W)."""
        inner = self.conv2(torch.relu_(self.conv1(features)))
        if self.pw is not None:
            inner = self.pw(torch.relu_(inner))
        return torch.relu_(inner + features)


@BACKBONES.register_module()
class PCARN(CARN):
    """Photo-realistic cascading residual network: its generator.

    :class:`~realdeg.backbones.carn.CARN` whose 1x1 fusions have no ReLU and whose upsampler is
    given the entry's features added to the last cascade's. Parameters as CARN's: 1,591,963, and
    414,811 in the economical form (``mobile``, with ``groups=4``), mean-shift tensors included.

    Args:
        scale: How much resolution is lost; in the network of several scales, in calls that do not
            say it.
        features: Channels.
        groups: Groups of the 3x3 convolutions; None: 4 in the economical form, otherwise 1.
        mobile: The economical form: the residual block ends in a 1x1 convolution, and the three
            of a cascading block are one.
        multi_scale: One network with upsamplers for 2, 3 and 4.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If ``features`` is no multiple of ``groups``.

    Source:
        Ahn, Kang, Sohn, Photo-Realistic Image Super-Resolution with Fast and Lightweight Cascading
        Residual Network, arXiv 1903.02240. Keys follow nmhkahn/PCARN-pytorch.
    """

    def __init__(
        self,
        scale: int = 4,
        features: int = 64,
        groups: int | None = None,
        mobile: bool = False,
        multi_scale: bool = True,
    ) -> None:
        super().__init__(
            scale=scale,
            features=features,
            groups=(4 if mobile else 1) if groups is None else groups,
            mobile=mobile,
            multi_scale=multi_scale,
        )

    @classmethod
    def example(cls) -> PCARN:
        """Return a x2 network, 8 wide."""
        return cls(scale=2, features=8, multi_scale=False)

    def trunk(self, entry: Tensor) -> Tensor:
        """Run the cascades on the entry's features (B, C, h, w) and add these."""
        return super().trunk(entry) + entry

    def adapt_state(self, state: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
        """See :meth:`CARN.adapt_state`; and count the economical form's shared block once.

        Published files hold it three times over, as ``b1``, ``b2`` and ``b3``.

        Raises:
            CheckpointError: If the copies differ, or the weights are of CARN or of another form.
        """
        state = super().adapt_state(state, where)
        if not self.mobile:
            return state
        kept = {}
        for name, value in state.items():
            parts = name.split(".")
            if parts[0] in ("b1", "b2", "b3") and parts[1] in ("b2", "b3"):
                first = state.get(".".join([parts[0], "b1", *parts[2:]]))
                if first is None or not torch.equal(first, value):
                    raise CheckpointError(
                        f"the weights in {where} have a {parts[0]}.{parts[1]} of its own, but the"
                        " economical PCARN uses one block three times."
                    )
                continue
            kept[name] = value
        return kept

    def _check_family(self, state: Mapping[str, Tensor], where: str) -> None:
        if "b1.b1.body.0.weight" in state:
            raise CheckpointError(f"the weights in {where} are of a CARN: build that.")
        mobile = "b1.b1.pw.weight" in state
        if mobile != self.mobile and "b1.b1.conv1.weight" in state:
            raise CheckpointError(
                f"the weights in {where} are of the {'economical' if mobile else 'full'} PCARN:"
                f" build PCARN(mobile={mobile})."
            )

    def _residual(self) -> nn.Module:
        return NamedResidual(self.features, self.groups, self.mobile)

    def _fusion(self, inputs: int) -> nn.Module:
        return nn.Conv2d(inputs * self.features, self.features, 1)
