"""The table of all backbones in docs/backbones_table.md: ``realdeg list backbones --table``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realdeg.cli.backbone_numbers import OURS, PUBLISHED, VARIANTS, Three

if TYPE_CHECKING:
    from realdeg.backbones import Backbone

SCALES = (2, 3, 4)
HEIGHT, WIDTH = 720, 1280
NONE = "–"

HEAD = f"""# Backbones in numbers

Written by `realdeg list backbones --table`. Where a cell has several numbers they are for x2, x3
and x4; one number holds for all. Every network has its default arguments unless its row says more.

- **Parameters** are everything that is trained; fixed mean shifts are not counted.
- **Multiply-adds** are of all convolutions, in G, for an output of {WIDTH} x {HEIGHT} (at x3
  {WIDTH // 3 + 1} x {HEIGHT // 3} pixels go in). A transposed convolution counts once for every
  pixel of its *input*; tables that count it on the output's grid say more (FSRCNN x4: 4.6).
- **Receptive field**: the side, in pixels of the network's input, of what a pixel of the output
  sees by convolutions; `all`: pooling sees the whole image beside it.
- **Published** and **ours**: PSNR in dB on Set5, luminance of 8-bit images, border of as many
  pixels as the scale left out, LR by MATLAB's bicubic interpolation. Published numbers are those of
  the papers; ours are of published weights run here (docs/weights.md says which).
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
    """Return the rows' names: every registered backbone, and variants of ours."""
    from realdeg.registry import list_backbones

    known = list_backbones()
    return sorted(known + [name for name, (base, _) in VARIANTS.items() if base in known])


def table(rows: Sequence[str] | None = None) -> str:
    """Return the whole page.

    Args:
        rows: Names of the rows; None: all.
    """
    chosen = names() if rows is None else rows
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(describe(name).cells()) + " |" for name in chosen]
    return HEAD + "\n" + "\n".join(lines) + "\n"


def describe(name: str, multiply_adds: bool = True) -> Row:
    """Count a network.

    Args:
        name: A registered name, or that of a variant.
        multiply_adds: Count these too, which takes a moment.
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
    """Build a network without memory; None where it does not come in that scale."""
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
    """Return the multiply-adds of one call in G; None where the calls depend on the numbers."""
    import torch
    from torch._subclasses.fake_tensor import (
        DataDependentOutputException,
        DynamicOutputShapeException,
        FakeTensorMode,
    )
    from torch.utils.flop_counter import FlopCounterMode

    factor = 1 if counted.same_size or counted.upsample == "pre" else counted.scale
    size = (1, counted.channels, -(-HEIGHT // factor), -(-WIDTH // factor))
    try:
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
            network = cls(scale=counted.scale, same_size=counted.same_size, **settings)  # type: ignore[arg-type]
            # The counter follows gradients, which a parameter handed to a module would have.
            network.eval().requires_grad_(False)
            with FlopCounterMode(display=False) as counter:
                network(torch.zeros(size))
    except (DataDependentOutputException, DynamicOutputShapeException):
        return None
    return counter.get_total_flops() / 2e9


def _field(network: Backbone) -> str:
    side = 2 * network.halo + 1
    return f"{side:,}, all" if network.whole_image else f"{side:,}"


def _join(values: Three, form: str, keep: bool = False) -> str:
    """Write three numbers, or one where those that exist are equal."""
    texts = [NONE if value is None else form.format(value) for value in values]
    known = {text for text in texts if text != NONE}
    if len(known) <= 1 and not (keep and known):
        return next(iter(known), NONE)
    return " / ".join(texts)
