"""Draw the pictures of docs/losses.md: what losses see of an image, and where their gradients act.

    python benchmarks/losses.py                # all of docs/assets/losses
    python benchmarks/losses.py ldl --out .    # one
    python benchmarks/losses.py --time         # what each loss costs, as a table

The picture "content" needs the weights of stlpips-pytorch: pip install 'realdeg[perceptual]'.
The costs are processor time of one thread, so that a busy machine hardly changes them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import realdeg
from realdeg.degradations.primitives import gaussian_blur, imresize
from realdeg.losses import (
    ContentLoss,
    FilteredLoss,
    FocalFrequencyLoss,
    L1Loss,
    MSELoss,
    SSIMLoss,
    TextureLoss,
    TVLoss,
    WaveletTextureLoss,
    artifact_map,
    build_loss,
)
from realdeg.utils.image import read_image, to_tensor
from realdeg.utils.tables import markdown_table
from realdeg.visualization.style import new_figure

SAMPLES = Path(realdeg.__file__).parent / "datasets" / "sample_images"
Panel = tuple[str, Tensor, dict[str, Any]]


def photo(name: str, top: int, left: int, side: int = 96) -> Tensor:
    """Return a crop of a sample image, (1, 3, side, side)."""
    image = to_tensor(read_image(SAMPLES / name))[None]
    return image[..., top : top + side, left : left + side]


def noise(like: Tensor, seed: int = 0) -> Tensor:
    """Return standard normal noise of an image's shape."""
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))


def gradient(loss: Any, prediction: Tensor, *others: Tensor) -> Tensor:
    """Return where a step against the gradient brightens or darkens: its luma, (1, 1, H, W)."""
    x = prediction.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(x, *others), x)
    return -found.mean(1, keepdim=True)


def picture(title: str, image: Tensor) -> Panel:
    """A panel with an image in [0, 1]."""
    return title, image, {"vmin": 0, "vmax": 1, "cmap": "grey"}


def signed(title: str, values: Tensor) -> Panel:
    """A panel with values around 0, red where positive, cut at their 99th percentile."""
    most = float(values.abs().flatten().quantile(0.99)) or 1.0
    return title, values, {"vmin": -most, "vmax": most, "cmap": "RdBu_r"}


def amount(title: str, values: Tensor, most: float | None = None) -> Panel:
    """A panel with values from 0, dark where large, cut at their 99th percentile."""
    top = float(values.flatten().quantile(0.99)) if most is None else most
    return title, values, {"vmin": 0, "vmax": top or 1.0, "cmap": "magma_r"}


def sheet(rows: list[list[Panel]], path: Path, inch: float = 1.75) -> None:
    """Write panels in rows as one figure."""
    across = max(map(len, rows))
    figure = new_figure(inch * across, (inch + 0.42) * len(rows), layout="constrained")
    axes = figure.subplots(len(rows), across, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, line in zip(rows, axes, strict=True):
        for (title, values, options), axis in zip(row, line, strict=False):
            shown = values[0].detach().permute(1, 2, 0).clamp(options["vmin"], options["vmax"])
            axis.imshow(shown.squeeze(-1), interpolation="nearest", **options)
            axis.set_title(title, fontsize=8)
    figure.savefig(path, dpi=110, bbox_inches="tight", pad_inches=0.05)


def total_variation(path: Path) -> None:
    """Denoise a disc and a ramp with each form, at the weight of four that comes closest."""
    side = 64
    rows = torch.arange(side).view(-1, 1).expand(side, side).float()
    columns = rows.T
    disc = (rows - 17).square() + (columns - 22).square() < 140
    turned = ((rows - 46) + 0.5 * (columns - 22)).abs() + ((columns - 22) - 0.5 * (rows - 46)).abs()
    clean = torch.where(disc | (turned < 15), 0.85, 0.3)
    clean = torch.where(columns > 42, 0.2 + 0.6 * rows / side, clean)[None, None]
    noisy = clean + 0.15 * noise(clean)
    results, gradients = [picture("noisy", noisy)], [picture("clean", clean)]
    for form, weights in (
        ("isotropic", (0.1, 0.15, 0.2, 0.3)),
        ("anisotropic", (0.1, 0.15, 0.2, 0.3)),
        ("squared", (0.2, 0.4, 0.8, 1.6)),
    ):
        tried = [denoised(noisy, TVLoss(weight=weight, form=form)) for weight in weights]
        best = min(tried, key=lambda one: float((one - clean).square().mean()))
        error = float((best - clean).square().mean().sqrt())
        results.append(picture(f"{form}\nRMSE {error:.3f}", best))
        gradients.append(signed("its gradient at clean", gradient(TVLoss(form=form), clean)))
    sheet([results, gradients], path)


def denoised(noisy: Tensor, variation: TVLoss) -> Tensor:
    """Minimise half the mean squared distance from the noisy image, and the variation."""
    x = noisy.clone().requires_grad_()
    optimiser = torch.optim.Adam([x], lr=0.01)
    for step in range(600):
        optimiser.param_groups[0]["lr"] = 0.01 * (1 - step / 600)
        optimiser.zero_grad()
        loss = 0.5 * (x - noisy).square().mean() + variation(x)
        loss.backward()
        optimiser.step()
    return x.detach()


def structure(path: Path) -> None:
    """Show errors of the same L1, as SSIM judges them, and both gradients."""
    hr = photo("test/coffee.png", 96, 128)
    blurred = gaussian_blur(hr, 1.6)
    level = float((blurred - hr).abs().mean())
    grain = noise(hr)
    grain = hr + grain * (level / float(grain.abs().mean()))
    rows: list[list[Panel]] = [[], [], []]
    for name, image in (("brighter", hr + level), ("blurred", blurred), ("noisy", grain)):
        l1, ssim = float(L1Loss()(image, hr)), float(SSIMLoss()(image, hr))
        rows[0].append(picture(f"{name}\nL1 {l1:.3f}, SSIM loss {ssim:.3f}", image))
        rows[1].append(signed("gradient of L1", gradient(L1Loss(), image, hr)))
        rows[2].append(signed("gradient of SSIMLoss", gradient(SSIMLoss(), image, hr)))
    sheet(rows, path, inch=2.1)


def frequency(path: Path) -> None:
    """Show what an enlarged image lacks, the weights of its spectrum, and both gradients."""
    hr = photo("train/brick.png", 0, 0)
    sr = imresize(imresize(hr, 0.25), 4.0)
    spectra = [torch.fft.fftshift(one, dim=(-2, -1)) for one in map(orthonormal, (hr, sr, hr - sr))]
    logs = [one.abs().mean(1, keepdim=True).log10() for one in spectra]
    weights = spectra[2].abs().mean(1, keepdim=True)
    options = {"vmin": -3.0, "vmax": 0.5, "cmap": "magma"}
    first = [picture("HR", hr), picture("x4 bicubic", sr)]
    first += [("spectrum of HR", logs[0], options), ("spectrum of x4", logs[1], options)]
    second = [
        amount("weights w", weights / weights.max(), 0.6),
        signed("gradient, alpha=0 (MSE)", gradient(MSELoss(), sr, hr)),
        signed("gradient, alpha=1", gradient(FocalFrequencyLoss(), sr, hr)),
        signed("gradient, alpha=2", gradient(FocalFrequencyLoss(alpha=2.0), sr, hr)),
    ]
    sheet([first, second], path)


def orthonormal(image: Tensor) -> Tensor:
    """The Fourier transform of each channel."""
    return torch.fft.fft2(image, norm="ortho")


def filters(path: Path) -> None:
    """Show both bands of each filter."""
    hr = photo("test/coffee.png", 96, 128)
    low, high = [picture("HR", hr)], []
    for name in ("average", "gaussian", "wavelet"):
        passes = [FilteredLoss(filter=name, band=band, border="ignore") for band in ("low", "high")]
        low.append(picture(f"{name}, low", passes[0].filtered(hr)))
        found = passes[1].filtered(hr)
        of = ", 1 of 3 bands" if name == "wavelet" else ""
        high.append(signed(f"{name}, high{of}", found[:, :3].mean(1, keepdim=True)))
    high.insert(0, ("", torch.ones(1, 3, 1, 1), {"vmin": 0, "vmax": 1}))
    sheet([low, high], path)


def ldl(path: Path) -> None:
    """Show the map of artifacts, for artifacts that were drawn into an image."""
    hr = photo("train/chelsea.png", 60, 130)
    smooth = imresize(imresize(hr, 0.25), 4.0)
    side = hr.shape[-1]
    # The network has learned fine detail on the left, and draws false detail on the right.
    left = (torch.arange(side) < side // 2).expand(side, side)
    spot = torch.zeros(side, side)
    spot[side // 4 : 3 * side // 4, 5 * side // 8 : 7 * side // 8] = 1
    false = 0.3 * gaussian_blur(spot[None, None], 3.0) * gaussian_blur(noise(hr[:, :1]), 0.6)
    sr = torch.where(left, 0.5 * (hr + smooth), smooth + false)
    averaged = smooth + 0.3 * false
    residual = (hr - sr).abs().sum(1, keepdim=True)
    everywhere = artifact_map(sr, hr, sr)  # an average that is nowhere better
    found = artifact_map(sr, hr, averaged)
    top = float(everywhere.flatten().quantile(0.99))
    sheet(
        [
            [picture("HR", hr), picture("network", sr), picture("averaged network", averaged)],
            [
                amount("residual", residual),
                amount("its local variance", everywhere, top),
                amount("map m of LDL", found, top),
            ],
        ],
        path,
    )


def content(path: Path) -> None:
    """Show what losses in features make of blurred texture and of the same texture elsewhere."""
    whole = to_tensor(read_image(SAMPLES / "train/brick.png"))[None]
    hr, shifted = (whole[..., 20:116, left : left + 96] for left in (20, 24))
    trunk = "vgg16_shift_tolerant"
    losses = {
        "L1": L1Loss(),
        "content": ContentLoss(layers={"conv3_3": 1.0}, trunk=trunk),
        "texture": TextureLoss(layers={"relu2_1": 1.0, "relu3_1": 1.0}, trunk=trunk),
        "wavelet": WaveletTextureLoss(levels=2),
    }
    images = {
        "x4 bicubic": imresize(imresize(hr, 0.25), 4.0),
        "4 px beside it": shifted,
    }
    rows: list[list[Panel]] = []
    for title, image in images.items():
        row = [picture(title, image)]
        for name, loss in losses.items():
            value = float(loss(image, hr))
            row.append(signed(f"{name} {value:.2g}", gradient(loss, image, hr)))
        rows.append(row)
    sheet(rows, path, inch=1.5)


TIMED = (
    *("L1Loss", "MSELoss", "CharbonnierLoss", "NormLoss", "TVLoss", "SSIMLoss"),
    *("FocalFrequencyLoss", "FilteredLoss", "LDLLoss"),
)


def costs(runs: int) -> str:
    """Return a table of value and gradient of each loss, for 16 patches of 128 x 128 pixels."""
    torch.set_num_threads(1)
    shape = (16, 3, 128, 128)
    x, y, z = (torch.rand(shape, generator=torch.Generator().manual_seed(n)) for n in range(3))
    seconds: dict[str, list[float]] = {name: [] for name in TIMED}
    for _ in range(runs + 1):  # the first run warms up
        for name in TIMED:
            loss = build_loss({"type": name})
            image = x.clone().requires_grad_()
            began = time.process_time()
            loss(image, y, **({"averaged": z} if name == "LDLLoss" else {})).backward()
            seconds[name].append(time.process_time() - began)
    medians = {name: 1e3 * statistics.median(found[1:]) for name, found in seconds.items()}
    rows = [(f"`{name}`", f"{found:.0f} ms") for name, found in medians.items()]
    return "\n".join(markdown_table(("loss", "value and gradient"), rows))


def adversarial(path: Path) -> None:
    """Draw what the network loses by an image's logit, and how hard it is pulled towards real."""
    logits = torch.linspace(-4, 4, 321, dtype=torch.float64)
    names = ("CrossEntropyGANLoss", "LSGANLoss", "HingeGANLoss")
    figure = new_figure(7, 2.4, layout="constrained")
    loss_axis, pull_axis = figure.subplots(1, 2)
    for name in names:
        x = logits.clone().requires_grad_()
        losses = build_loss({"type": name}).generator_elements(x)
        (found,) = torch.autograd.grad(losses.sum(), x)
        label = f"{name}, WGANLoss" if name == "HingeGANLoss" else name
        loss_axis.plot(logits, losses.detach(), label=label)
        pull_axis.plot(logits, -found, label=label)
    loss_axis.set_title("the network's loss", fontsize=8)
    pull_axis.set_title("its pull towards larger logits", fontsize=8)
    pull_axis.axhline(0, color="0.7", linewidth=0.8)
    for axis in (loss_axis, pull_axis):
        axis.set_xlabel("logit of a generated image", fontsize=7)
        axis.tick_params(labelsize=7)
    pull_axis.legend(fontsize=7)
    figure.savefig(path, dpi=110)


PICTURES = {
    "total_variation": total_variation,
    "structure": structure,
    "frequency": frequency,
    "filters": filters,
    "ldl": ldl,
    "content": content,
    "adversarial": adversarial,
}


def main() -> None:
    """Draw the pictures that are named, or all; or measure costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PICTURES)}; all if none is named")
    parser.add_argument("--time", action="store_true", help="measure costs instead")
    parser.add_argument("--runs", default=15, type=int, help="measurements of each loss")
    parser.add_argument("--out", default="docs/assets/losses", type=Path)
    arguments = parser.parse_args()
    if arguments.time:
        print(costs(arguments.runs))
        return
    if not set(arguments.names) <= set(PICTURES):
        parser.error(f"the pictures are {', '.join(PICTURES)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or PICTURES:
        PICTURES[name](arguments.out / f"{name}.png")


if __name__ == "__main__":
    main()
