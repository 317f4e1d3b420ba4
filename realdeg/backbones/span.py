"""SPAN: attention without parameters, and convolutions that are merged for inference."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.dialects import Dialect
from realdeg.backbones.parts.classic import Number
from realdeg.backbones.parts.common import DIV2K_MEAN
from realdeg.backbones.parts.reparam import Conv3XC, merge_branches
from realdeg.backbones.readings import State, has, shuffled, size
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale

BLOCKS = 6


def _merged(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Merge the branches again: the stored results may be outdated."""
    for prefix in [name.removesuffix("sk.weight") for name in state if name.endswith(".sk.weight")]:
        parts = [f"conv.{k}.{kind}" for k in range(3) for kind in ("weight", "bias")]
        tensors = [state[prefix + part] for part in (*parts, "sk.weight", "sk.bias")]
        weight, bias = merge_branches(*tensors)
        state[f"{prefix}eval_conv.weight"], state[f"{prefix}eval_conv.bias"] = weight, bias
    return state


_BRANCHES = Dialect(
    "the training form",
    marks=(r".*\.sk\.weight", r"conv_cat\.weight"),
    convert=_merged,
    spare=r".*\.(sk|conv)\..*",
)


def _from_ncnn(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take the mean away, which is a constant of the graph there."""
    means = [state.pop(name) for name in list(state) if name.endswith(".data")]
    if not means:
        state["no_norm"] = torch.zeros(1)
    for mean in means:
        if mean.numel() != 3 or (mean.reshape(-1) - torch.tensor(DIV2K_MEAN)).abs().max() > 1e-3:
            found = ", ".join(f"{value:.4f}" for value in mean.reshape(-1)[:3].tolist())
            raise ValueError(f"subtract {found} from the image, where SPAN subtracts DIV2K's mean.")
    return state


_NCNN = Dialect(
    "ncnn's converter",
    marks=(r"/conv_1/eval_conv/Conv\.weight",),
    rename=(
        (r"^/upsampler/", ""),
        (r"^/(.+)/Conv\.", lambda m: m[1].replace("/", ".") + "."),
        (r"^(upsampler\.0)/Conv\.", r"\1."),
    ),
    convert=_from_ncnn,
)


def _norm(state: State) -> bool | None:
    return "no_norm" not in state if "conv_cat.weight" in state else None


def _fused(state: State) -> bool | None:
    branched = has(r".*\.sk\.weight", given="conv_cat.weight")(state)
    return None if branched is None else not branched


class AttentionBlock(nn.Module):
    """Three convolutions whose result weights itself (the paper's SPAB).

    Shape:
        (B, C, H, W) -> the block's output and the first convolution's, after SiLU, each
        (B, C, H, W).

    Source:
        SPAN, figure 3; the public code's second output is the activated one, as SiLU runs in
        place there.
    """

    def __init__(self, features: int, fused: bool) -> None:
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = (
            Conv3XC(features, features, fused=fused) for _ in range(3)
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Run on (B, C, H, W)."""
        first = F.silu(self.c1_r(features))
        third = self.c3_r(F.silu(self.c2_r(first)))
        return (third + features) * (torch.sigmoid(third) - 0.5), first


@BACKBONES.register_module()
class SPAN(Backbone):
    """Swift parameter-free attention network.

    Every 3x3 convolution but the last is trained as several branches and evaluated as one;
    :meth:`fuse` returns the network with the merged convolutions only. Fused it has 481,324
    parameters at x2 and 498,208 at x4; with 48 channels (SPAN-S, and the public code's default)
    410,700 and 426,288.

    The mean is subtracted inside and never added back: input and output both lie in [0, 1].

    Args:
        scale: Any whole number; the paper's are 2 and 4.
        same_size: The LR image lies on the HR grid: the network of x1.
        num_features: Channels; 52 is the paper's SPAN, 48 its SPAN-S.
        norm: Subtract the DIV2K mean and multiply by 255 first, as the authors do; weights that
            were trained without this hold a tensor ``no_norm``.
        fused: Only merged convolutions, for inference and for weights of that form.

    Shape:
        (B, 3, h, w) -> (B, 3, s*h, s*w), or the same size.

    Source:
        Wan, Yu, Li, Chen, Zou, Liu, Yin, Zuo, Swift Parameter-free Attention Network for
        Efficient Super-Resolution, CVPRW 2024. Keys follow hongyuanyu/SPAN;
        those of ncnn files are translated.
    """

    same_size_form = "native"
    mean: Tensor

    dialects = (_BRANCHES, _NCNN)
    form_readings = {
        "scale": shuffled(r"upsampler\.0\.weight", 3),
        "num_features": size("conv_cat.weight"),
        "fused": _fused,
    }
    meaning_readings = {"norm": _norm}
    form_subset = ("fused",)
    example_arguments = {"scale": 2, "num_features": 4}

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        num_features: Number = 52,
        norm: bool = True,
        fused: bool = False,
    ) -> None:
        super().__init__(scale=scale, same_size=same_size)
        self.norm, self.fused = norm, fused
        factor = 1 if same_size else scale
        mean = torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        if not norm:
            self.register_buffer("no_norm", torch.zeros(1))
        self.conv_1 = Conv3XC(3, num_features, fused=fused)
        for number in range(1, BLOCKS + 1):
            self.add_module(f"block_{number}", AttentionBlock(num_features, fused))
        self.conv_cat = nn.Conv2d(4 * num_features, num_features, 1)
        self.conv_2 = Conv3XC(num_features, num_features, fused=fused)
        self.upsampler = nn.Sequential(
            nn.Conv2d(num_features, 3 * factor**2, 3, padding=1), nn.PixelShuffle(factor)
        )

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, 3, h, w) in [0, 1]."""
        entry = self.conv_1((lr - self.mean) * 255.0 if self.norm else lr)
        features, shallow, outputs = entry, entry, []
        for number in range(1, BLOCKS + 1):
            features, shallow = self.get_submodule(f"block_{number}")(features)
            if number == 1:
                outputs.append(features)
        features = torch.cat([entry, self.conv_2(features), *outputs, shallow], 1)
        return self.upsampler(self.conv_cat(features))

    def fuse(self) -> SPAN:
        """Return the network with merged convolutions, which gives the same images."""
        fused = SPAN(**{**self.arguments, "fused": True})
        own, wanted = self.state_dict(), fused.state_dict()
        fused.load_state_dict({name: own[name] for name in wanted})
        return fused.to(self.conv_cat.weight).train(self.training)
