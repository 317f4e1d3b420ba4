"""Train small blind networks, and networks of their size, on T91 x2; test them on Set5.

    python benchmarks/blind_networks.py DATA RUNS RESULT.json
    python benchmarks/blind_networks.py DATA RUNS RESULT.json --only KXNet --shorter 10

DATA holds ``T91`` and ``Set5/HR/x2``. Trainings are kept in RUNS and continued, results are written
one by one. LR has the eight kernels of Gaussian8; for KXNet LR is every second pixel, and the
kernels are moved so that these pixels lie where bicubic LR has them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg import create_backbone, read_image, train
from realdeg.backbones import Backbone, BlindBackbone
from realdeg.backbones.running import run_backbone
from realdeg.degradations import BlurDown
from realdeg.degradations.blur_kinds import EIGHT_WIDTHS
from realdeg.degradations.primitives.kernels import second_moments
from realdeg.degradations.primitives.resize import imresize
from realdeg.utils.colour import rgb_to_y

SCALE, SIZE = 2, 21
IMAGES = ("bird", "butterfly", "woman")
# How LR is made: the arguments of BlurDown without its kernels' widths.
REDUCTIONS: dict[str, dict[str, Any]] = {
    "bicubic": {"kind": "DAN"},
    "s_fold": {"kind": "KXNet"},
}
CENTRES = {"bicubic": 0, "s_fold": "aligned"}
# By name: reduction, recipe, options, iterations.
NETWORKS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "KXNet": ("s_fold", "kxnet/kxnet_t91_x2_cpu", {}, 250),
    "DANv2": ("bicubic", "danv2/danv2_t91_x2_cpu", {}, 600),
    "EDSR of KXNet's size": ("s_fold", "edsr/edsr_t91_x2_cpu", dict(num_features=49), 250),
    "EDSR of DANv2's size": ("bicubic", "edsr/edsr_t91_x2_cpu", dict(num_features=25), 600),
}


def blur(reduction: str, widths: Any) -> dict[str, Any]:
    """Return the config of a degradation by isotropic Gaussians."""
    centre = CENTRES[reduction]
    kernel = dict(shape="gaussian", size=SIZE, sigma_x=widths, centre=centre)
    return dict(type="BlurDown", kernel=kernel, **REDUCTIONS[reduction])


def learn(name: str, blurred: bool, data: Path, runs: Path, shorter: int) -> Path:
    """Train a network, or go on with its training, and return its weights."""
    reduction, recipe, settings, iterations = NETWORKS[name]
    folder = runs / f"{name.replace(' ', '_')}{'_blurred' if blurred else ''}"
    weights = folder / "backbone.safetensors"
    # An interrupted training leaves weights, too.
    if (folder / f"iter_{iterations // shorter}.pth").exists():
        return weights
    options: dict[str, Any] = {f"backbone.{key}": value for key, value in settings.items()}
    options |= {
        "data_root": str(data),
        "train_cfg.max_iters": iterations // shorter,
        "train_cfg.val_interval": 100_000,
        "train_dataloader.num_workers": 0,
        "default_hooks.checkpoint.interval": 50,
    }
    if blurred:
        options["degradation"] = blur(reduction, [0.2, 2.0])
    known = (folder / "last_checkpoint").exists()
    train(recipe, options=options, work_dir=folder, seed=0, device="cpu", resume=known or None)
    return weights


def images(data: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield the names and HR images of the three smaller ones of Set5, (1, 3, H, W)."""
    for path in sorted((data / "Set5/HR/x2").iterdir()):
        if not path.name.startswith(IMAGES):
            continue
        image = torch.from_numpy(read_image(path)).permute(2, 0, 1)[None].float() / 255
        yield (
            path.stem.split("_")[0],
            image[..., : image.shape[-2] // 2 * 2, : image.shape[-1] // 2 * 2],
        )


def decibels(sr: Tensor, hr: Tensor) -> float:
    """Return the PSNR of luma after rounding to 8 bit, without a border."""
    y = rgb_to_y(sr.clamp(0, 1).mul(255).round().div(255))
    difference = (y - rgb_to_y(hr))[..., SCALE:-SCALE, SCALE:-SCALE]
    return float(-10 * torch.log10(difference.double().square().mean()))


@torch.no_grad()
def measure(network: Backbone | None, reduction: str, data: Path) -> dict[str, Any]:
    """Return mean PSNR and errors of the kernel, over the images and eight kernels."""
    by_width, errors, seen = {}, [], {}
    for width in EIGHT_WIDTHS[SCALE]:
        degradation = BlurDown(SCALE, **_without_type(blur(reduction, width)))
        found, widths = [], []
        for _, hr in images(data):
            (trace,) = degradation.sample(hr, [0])
            lr = degradation.replay(hr, [trace]).clamp(0, 1).mul(255).round().div(255)
            if network is None:
                found.append(decibels(imresize(lr, SCALE), hr))
                continue
            made = run_backbone(network, lr)
            found.append(decibels(made.sr, hr))
            if isinstance(network, BlindBackbone):
                truth = degradation.condition(trace)["kernel"]
                rounds = made.aux["estimates"][0]
                kernels = torch.cat([network.kernel_of(each[None])[:, 0] for each in rounds])
                errors.append([float((k - truth).norm() / truth.norm()) for k in kernels])
                moments = second_moments(kernels[-1].double())
                widths.append(float(moments.trace() / 2) ** 0.5)
        by_width[str(width)] = round(sum(found) / len(found), 3)
        if widths:
            seen[str(width)] = round(sum(widths) / len(widths), 3)
    mean = {"psnr_y": round(sum(by_width.values()) / len(by_width), 3), "by_width": by_width}
    if errors:
        rounds = torch.tensor(errors).mean(0).tolist()
        mean["kernel_error_by_round"] = [round(each, 4) for each in rounds]
        mean["estimated_width"] = seen
    return mean


def _without_type(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "type"}


def middle_error(reduction: str) -> float:
    """Return the error of one kernel for all: the mean of those in training."""
    trained = BlurDown(SCALE, **_without_type(blur(reduction, [0.2, 2.0])))
    hr = torch.zeros(1, 3, 8, 8)
    kernels = [trained.condition(trained.sample(hr, [seed])[0])["kernel"] for seed in range(2000)]
    middle = torch.stack(kernels).mean(0)
    errors = []
    for width in EIGHT_WIDTHS[SCALE]:
        tested = BlurDown(SCALE, **_without_type(blur(reduction, width)))
        truth = tested.condition(tested.sample(hr, [0])[0])["kernel"]
        errors.append(float((middle - truth).norm() / truth.norm()))
    return round(sum(errors) / len(errors), 4)


def rows(data: Path, runs: Path, shorter: int) -> Iterator[tuple[str, Any]]:
    """Yield functions that make one result each, with its name."""
    for reduction in REDUCTIONS:
        yield f"bicubic interpolation, {reduction}", lambda r=reduction: measure(None, r, data)
        yield f"mean kernel, {reduction}", lambda r=reduction: {"kernel_error": middle_error(r)}
    for name, (reduction, _, _, iterations) in NETWORKS.items():
        blind = not name.startswith("EDSR")
        for blurred in (True,) if blind else (False, True):

            def make(
                name: str = name,
                blurred: bool = blurred,
                reduction: str = reduction,
                iterations: int = iterations,
                blind: bool = blind,
            ) -> dict[str, Any]:
                weights = learn(name, blurred, data, runs, shorter)
                network = create_backbone(weights).eval()
                made = measure(network, reduction, data)
                count = sum(p.numel() for p in network.parameters())
                made |= {"parameters": count, "iterations": iterations // shorter}
                if blind:
                    torch.manual_seed(0)
                    started = type(network)(**network.arguments).eval()
                    start = measure(started, reduction, data)
                    made["at_start"] = {k: v for k, v in start.items() if k != "by_width"}
                return made

            yield f"{name}, {'blurred' if blurred else 'bicubic'} LR in training, {reduction}", make


def main() -> None:
    """Measure what is not measured yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--only", default="", help="the beginning of the rows' names")
    parser.add_argument("--shorter", type=int, default=1, help="divide the trainings by this")
    given = parser.parse_args()
    known = json.loads(given.result.read_text()) if given.result.exists() else {}
    for name, make in rows(given.data.resolve(), given.runs.resolve(), given.shorter):
        if name in known or not name.startswith(given.only):
            continue
        known[name] = make()
        given.result.write_text(json.dumps(known, indent=1) + "\n")
        print(name, known[name], flush=True)


if __name__ == "__main__":
    main()
