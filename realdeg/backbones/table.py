"""The table of all backbones in docs/backbones_table.md: ``realdeg list backbones --table``."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realdeg.backbones.numbers import OURS, PUBLISHED, VARIANTS, Three
from realdeg.utils.tables import markdown_table

if TYPE_CHECKING:
    from torch import Tensor

    from realdeg.backbones import Backbone

Shape = Sequence[int]

SCALES = (2, 3, 4)
HEIGHT, WIDTH = 720, 1280
# Sides of the images on which a network runs that cannot be counted without data.
SMALL = (2, 4)
NONE = "–"

HEAD = f"""# Backbones in numbers

Written by `realdeg list backbones --table`. Where a cell has several numbers they are for x2, x3
and x4; one number holds for all. Every network has its default arguments unless its row says more.

- **Parameters** are everything that is trained; fixed mean shifts are not counted.
- **Multiply-adds** are of all convolutions, linear layers, products of attention and per-pixel
  kernels, in G, for an output of {WIDTH} x {HEIGHT} (at x3 {WIDTH // 3 + 1} x {HEIGHT // 3} pixels
  go in), with the padding and the overlapping tiles (IPT) that it takes. A transposed convolution
  counts once for every pixel of its *input*; tables that count it on the output's grid say more
  (FSRCNN x4: 4.6). Papers often leave the products of attention out (SwinIR lightweight x2: 195.6).
- **Receptive field**: the side, in pixels of the network's input, of what a pixel of the output
  sees by convolutions; `all`: pooling sees the whole image beside it.
- **Published** and **ours**: PSNR in dB on Set5, luminance of 8-bit images, border of as many
  pixels as the scale left out, LR by MATLAB's bicubic interpolation. Published numbers are those of
  the papers, or of a later one's comparison: HAT, RRDBNet and SPAN were trained on DF2K, IPT on
  ImageNet, SwinIR on DIV2K; MWCNN leaves out no border; DFSA's may be with self-ensemble. Ours are
  of published weights run here (docs/weights.md says which).
"""
COLUMNS = (
    "network",
    "parameters",
    "multiply-adds, G",
    "receptive field",
    "colour",
    "scales",
    "upsamples",
    "published",
    "ours",
)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    parameters: Three
    multiply_adds: Three
    field: str
    colour: str
    scales: str
    upsample: str

    def cells(self) -> list[str]:
        """Return the cells in the order of ``COLUMNS``."""
        return [
            self.name,
            _join(self.parameters, "{:,.0f}"),
            _join(self.multiply_adds, "{:,.1f}"),
            self.field,
            "Y" if self.colour == "y" else "RGB",
            self.scales,
            self.upsample,
            _join(PUBLISHED.get(self.name, (None,) * 3), "{:.2f}", keep=True),
            _join(OURS.get(self.name, (None,) * 3), "{:.2f}", keep=True),
        ]


def names() -> list[str]:
    """Return the rows' names: every registered backbone, and variants of realdeg's own."""
    from realdeg.registry import BACKBONES, list_backbones
    from realdeg.utils.arguments import arguments_of

    # A class that needs a file (SpandrelModel) has no default network to count.
    all_types = {name: BACKBONES.require(name) for name in list_backbones()}
    known = [name for name, cls in all_types.items() if "file" not in arguments_of(cls)]
    return sorted(known + [name for name, (base, _) in VARIANTS.items() if base in known])


def table(rows: Sequence[str] | None = None) -> str:
    """Return the whole page as Markdown, with the named rows or all."""
    chosen = names() if rows is None else rows
    cells = (describe(name).cells() for name in chosen)
    lines = markdown_table(COLUMNS, cells, numbers=False)
    return HEAD + "\n" + "\n".join(lines) + "\n"


def describe(name: str, multiply_adds: bool = True) -> Row:
    """Count a network.

    Args:
        name: A registered name, or that of a variant.
        multiply_adds: Count these too, which takes seconds.
    """
    from realdeg.registry import BACKBONES

    base, settings = VARIANTS.get(name, (name, {}))
    cls: type[Backbone] = BACKBONES.require(base)
    networks = [_build(cls, scale, settings) for scale in SCALES]
    built = [network for network in networks if network is not None]
    counts = [_parameters(n) if n is not None else None for n in networks]
    work = [
        _multiply_adds(cls, n, settings) if multiply_adds and n is not None else None
        for n in networks
    ]
    any_scale = "any, real" if cls.any_scale else "any"
    return Row(
        name,
        (counts[0], counts[1], counts[2]),
        (work[0], work[1], work[2]),
        _field(built[-1]),
        built[-1].colour,
        any_scale if cls.scales is None else ", ".join(map(str, cls.scales)),
        cls.upsample,
    )


def _parameters(network: Backbone) -> float:
    return float(sum(parameter.numel() for parameter in network.parameters()))


def _build(cls: type[Backbone], scale: int, settings: dict[str, object]) -> Backbone | None:
    """Build a network on the device "meta"; None if it does not exist at that scale."""
    import torch

    from realdeg.errors import GeometryError

    # Networks on the HR grid are counted there, without the interpolation before them.
    same_size = cls.upsample in ("pre", "none") and cls.same_size_form is not None
    try:
        with torch.device("meta"):
            return cls(scale=scale, same_size=same_size, **settings)  # type: ignore[arg-type]
    except GeometryError:
        return None


def _multiply_adds(
    cls: type[Backbone], counted: Backbone, settings: dict[str, object]
) -> float | None:
    """Return the multiply-adds of one call in G; None if they do not grow with the pixels."""
    import torch
    from torch._subclasses.fake_tensor import (
        DataDependentOutputException,
        DynamicOutputShapeException,
        FakeTensorMode,
    )

    network = cls(scale=counted.scale, same_size=counted.same_size, **settings)  # type: ignore[arg-type]
    # The counter tracks gradients, which a parameter passed to a module would have.
    network.eval().requires_grad_(False)
    factor = 1 if counted.same_size or counted.upsample == "pre" else counted.scale
    height, width = -(-HEIGHT // factor), -(-WIDTH // factor)
    if not network.teacher_forced:
        try:
            # Built outside the mode: a constructor may read values, which fake tensors lack.
            with FakeTensorMode(allow_non_fake_inputs=True), _in_one_piece():
                work = _count(network, torch.zeros(1, network.channels, height, width))
            return sum(work.values()) / 1e9
        except (DataDependentOutputException, DynamicOutputShapeException):
            pass
    # It needs values to run, or samples pixel by pixel, which takes hours.
    per_pixel = _per_pixel(network)
    return None if per_pixel is None else per_pixel * height * width / 1e9


def _count(network: Backbone, image: Tensor) -> dict[str, int]:
    """Count the multiply-adds of one call per operation."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from realdeg import ops  # noqa: F401 (registers the operators)

    # torch counts a multiplication and an addition as two.
    known = {
        torch.ops.realdeg.kernel_apply: _kernel_apply_flops,
        torch.ops.realdeg.pixel_kernel_apply: _pixel_kernel_apply_flops,
        # Missing in older torch.
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
    }
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=known) as counter:
        network(image)
    total = counter.get_flop_counts().get("Global", {})
    return {str(operation): flops // 2 for operation, flops in total.items()}


def _per_pixel(network: Backbone) -> float | None:
    """Return the multiply-adds per input pixel, from runs on two small images.

    For networks that cannot run without values. Resampling by matrices, which are mostly zeros,
    grows faster than the pixels; it is not part of the network and left out.
    """
    import torch

    small, large = (
        _count(network, torch.full((1, network.channels, side, side), 0.5)) for side in SMALL
    )
    growth = (SMALL[1] // SMALL[0]) ** 2
    linear = [work for name, work in small.items() if large.get(name) == work * growth]
    return sum(linear) / SMALL[0] ** 2 if linear else None


@contextmanager
def _in_one_piece() -> Iterator[None]:
    """Turn off slicing to save memory: fake tensors need none, and calls take time."""
    from realdeg.backbones.parts import attention, tiles

    kept = attention.SLICE, tiles.AT_ONCE
    attention.SLICE = tiles.AT_ONCE = sys.maxsize
    try:
        yield
    finally:
        attention.SLICE, tiles.AT_ONCE = kept


def _kernel_apply_flops(
    image: Shape, weights: Shape, bases: Shape, *_: object, out_shape: Shape, **__: object
) -> int:
    # Every basis kernel is convolved with the image, and the results are mixed.
    return 2 * math.prod(out_shape) * bases[-3] * (bases[-1] * bases[-2] + 1)


def _pixel_kernel_apply_flops(
    image: Shape, kernels: Shape, *_: object, out_shape: Shape, **__: object
) -> int:
    return 2 * math.prod(out_shape) * kernels[1]


def _attention_flops(query: Shape, key: Shape, value: Shape, *_: object, **__: object) -> int:
    return 2 * math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _field(network: Backbone) -> str:
    side = 2 * network.halo + 1
    return f"{side:,}, all" if network.whole_image else f"{side:,}"


def _join(values: Three, form: str, keep: bool = False) -> str:
    """Format three numbers, or one if those that exist are equal."""
    texts = [NONE if value is None else form.format(value) for value in values]
    known = {text for text in texts if text != NONE}
    if len(known) <= 1 and not (keep and known):
        return next(iter(known), NONE)
    return " / ".join(texts)
