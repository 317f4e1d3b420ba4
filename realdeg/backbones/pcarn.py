"""PCARN: CARN with linear fusions and a skip over all blocks."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from realdeg.backbones.carn import CARN, PLAIN_MEAN, THREE_SCALES
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.readings import has, ratio
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale


def _shared(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keep one copy of the economical form's shared block, which files hold three times."""
    kept = {}
    for name, value in state.items():
        copy = re.match(r"(b[123])\.(b[23])\.", name)
        if copy is None:
            kept[name] = value
            continue
        first = state.get(f"{copy[1]}.b1.{name[copy.end() :]}")
        if first is None or not torch.equal(first, value):
            raise ValueError(
                f"have a different {copy[1]}.{copy[2]}, but the economical PCARN uses one block"
                " three times."
            )
    return kept


class NamedResidual(nn.Module):
    """CARN's residual block under PCARN's keys."""

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
        scale: 2, 3 or 4; with ``multi_scale`` the default of calls.
        features: Channels.
        groups: Groups of the 3x3 convolutions; None: 4 in the economical form, otherwise 1.
        mobile: The economical form: the residual block ends in a 1x1 convolution, and the three
            of a cascading block are one.
        multi_scale: One network with upsamplers for 2, 3 and 4.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w)

    Raises:
        ConfigError: If ``features`` is not a multiple of ``groups``.

    Source:
        Ahn, Kang, Sohn, Photo-Realistic Image Super-Resolution with Fast and Lightweight Cascading
        Residual Network, arXiv 1903.02240. Keys follow nmhkahn/PCARN-pytorch.
    """

    dialects = (
        Dialect("CARN", marks=(r"b1\.b1\.body\.0\.weight",), refused="of a CARN: build that."),
        PLAIN_MEAN,
        Dialect("PCARN-pytorch", marks=(r"b1\.b2\.pw\.weight",), convert=_shared),
        THREE_SCALES,
    )
    form_readings = {
        **CARN.form_readings,
        "groups": ratio("b1.b1.conv1.weight", 0, 1),
        "mobile": has("b1.b1.pw.weight", given="b1.b1.conv1.weight"),
    }
    example_arguments = {"scale": 2, "features": 8, "multi_scale": False}

    def __init__(
        self,
        scale: Scale = 4,
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

    def trunk(self, entry: Tensor) -> Tensor:
        """Run the cascades on the entry's features (B, C, h, w), which are added to the result."""
        return super().trunk(entry) + entry

    def _residual(self) -> nn.Module:
        return NamedResidual(self.features, self.groups, self.mobile)

    def _fusion(self, inputs: int) -> nn.Module:
        return nn.Conv2d(inputs * self.features, self.features, 1)
