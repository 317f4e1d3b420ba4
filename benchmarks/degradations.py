"""Time the hand-made degradations on one thread against the operations of public code.

    python benchmarks/degradations.py --draws 300 --out degradations.md

Times vary with the random decisions; mean, median and 95th percentile are over the draws. Each draw
is repeated and the shortest time counts, which excludes delays by other programs. The second group
of columns runs the same draws with the operations of cszn/KAIR (BSRGAN, BSRGAN+) and BasicSR
(Real-ESRGAN), reimplemented below: dense filters in scipy.ndimage and conv2d, kernels evaluated
pixel by pixel, noise of NumPy and torch.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage, stats
from timing import table
from torch import Tensor

from realdeg import create_degradation
from realdeg.datasets import SampleDataset
from realdeg.degradations import Degradation
from realdeg.degradations.primitives import differentiable_jpeg, imresize, make_kernel
from realdeg.utils.image import to_tensor

Fields = Mapping[str, Any]
_CV2_MODES = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}

# By name: config, image size in pixels, compared code, target in milliseconds
CASES: dict[str, tuple[dict[str, Any], int, str, float]] = {
    "BSRGAN": ({"type": "BSRGAN"}, 320, "KAIR", 10.0),
    "BSRGANPlus": ({"type": "BSRGANPlus"}, 320, "KAIR", 15.0),
    "RealESRGAN": ({"type": "RealESRGAN"}, 400, "BasicSR", 30.0),
    "RealESRGAN without USM": ({"type": "RealESRGAN", "sharpen": False}, 400, "BasicSR", 18.0),
}


def sample_images(side: int) -> list[Tensor]:
    """Return sample images, mirrored at the border until they are large enough."""
    data = SampleDataset(split="train", scale=4, same_size=False, mode="hr")
    found = []
    for index in range(len(data)):
        array = np.asarray(data.load(index)["hr"])
        height, width = array.shape[:2]
        padding = ((0, max(0, side - height)), (0, max(0, side - width)), (0, 0))
        array = np.pad(array, padding, mode="symmetric")[:side, :side]
        found.append(to_tensor(np.ascontiguousarray(array))[None])
    return found


def seconds(work: Callable[[], object], repeats: int, device: str = "cpu") -> float:
    """Return the shortest time of some repetitions."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def measure(
    degradation: Degradation, images: list[Tensor], draws: int, repeats: int, device: str
) -> np.ndarray:
    """Return the milliseconds of sampling and applying per draw."""
    for index, image in enumerate(images):
        degradation(image, [index])
    times = [
        seconds(lambda n=n: degradation(images[n % len(images)], [n]), repeats, device)
        for n in range(draws)
    ]
    return np.array(times) * 1e3


def measure_peer(
    degradation: Degradation, images: list[Tensor], draws: int, steps: dict[str, Callable]
) -> np.ndarray:
    """Return the milliseconds of the same draws with the operations of other code."""
    times = []
    for n in range(draws + 1):
        image = images[n % len(images)]
        plan = degradation.sample(image, [n])[0].params["steps"]
        start = time.perf_counter()
        x: Any = image if steps is BASICSR else image[0].permute(1, 2, 0).contiguous().numpy()
        for step in plan:
            x = steps[step["op"]](x, step)
        times.append((time.perf_counter() - start) * 1e3)
    return np.array(times[1:])  # the first warms up


# --- KAIR: NumPy images (H, W, C) ---------------------------------------------------------------


def _kair_kernel(record: Fields) -> np.ndarray:
    """Evaluate a normal density at every pixel in a double loop."""
    k = record["size"]
    if record["shape"] == "gaussian":
        axis = np.arange(k) - (k - 1) / 2
        kernel = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * record["sigma_x"] ** 2))
        return kernel / kernel.sum()
    turn = record["angle"]
    basis = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    variances = np.diag([record["variance_x"], record["variance_y"]])
    covariance = basis @ variances @ basis.T
    kernel = np.zeros((k, k))
    for row in range(k):
        for column in range(k):
            at = [column - k // 2, row - k // 2]
            kernel[row, column] = stats.multivariate_normal.pdf(
                at, mean=[0, 0], cov=covariance, allow_singular=True
            )
    return kernel / kernel.sum()


def _kair_blur(x: np.ndarray, step: Fields) -> np.ndarray:
    return ndimage.convolve(x, _kair_kernel(step["kernel"])[..., None], mode="mirror")


def _kair_shifted(x: np.ndarray, step: Fields) -> np.ndarray:
    scale = step["scale"]
    kernel = _kair_kernel(
        {"shape": "gaussian", "size": step["kernel_size"], "sigma_x": step["sigma"]}
    )
    kernel = ndimage.shift(kernel, -(scale - 1) / 2, order=1, mode="nearest")
    x = ndimage.convolve(x, (kernel / kernel.sum())[..., None], mode="mirror")
    return np.clip(x[::scale, ::scale], 0, 1)


def _kair_resize(x: np.ndarray, step: Fields) -> np.ndarray:
    height, width = step["size"]
    if step["mode"] == "matlab_bicubic":
        tensor = torch.from_numpy(np.ascontiguousarray(x)).permute(2, 0, 1)[None]
        return np.clip(imresize(tensor, size=(height, width))[0].permute(1, 2, 0).numpy(), 0, 1)
    mode = _CV2_MODES[step["mode"].removeprefix("cv2_")]
    return np.clip(cv2.resize(x, (width, height), interpolation=mode), 0, 1)


def _kair_field(x: np.ndarray, step: Fields) -> np.ndarray:
    if step["kind"] == "correlated":
        covariance = np.array(step["covariance"])
        return np.random.multivariate_normal(np.zeros(3), covariance, x.shape[:2])
    shape = x.shape if step["kind"] == "white" else (*x.shape[:2], 1)
    return np.random.normal(0, step["sigma"] / 255, shape)


def _kair_gaussian(x: np.ndarray, step: Fields) -> np.ndarray:
    return np.clip(x + _kair_field(x, step).astype(np.float32), 0, 1)


def _kair_speckle(x: np.ndarray, step: Fields) -> np.ndarray:
    return np.clip(x + x * _kair_field(x, step).astype(np.float32), 0, 1)


def _kair_poisson(x: np.ndarray, step: Fields) -> np.ndarray:
    x, peak = np.round(x * 255) / 255, step["peak"]
    if step["grey"]:
        mean = np.round(x @ np.array([0.299, 0.587, 0.114]) * 255) / 255
        x = x + (np.random.poisson(mean * peak) / peak - mean)[..., None]
    else:
        x = np.random.poisson(x * peak) / peak
    return np.clip(x, 0, 1).astype(np.float32)


def _kair_jpeg(x: np.ndarray, step: Fields) -> np.ndarray:
    pixels = cv2.cvtColor((x.clip(0, 1) * 255).round().astype(np.uint8), cv2.COLOR_RGB2BGR)
    code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, step["quality"]])[1]
    pixels = cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return pixels.astype(np.float32) / 255


KAIR: dict[str, Callable] = {
    "blur": _kair_blur,
    "shifted_kernel_down": _kair_shifted,
    "resize": _kair_resize,
    "gaussian_noise": _kair_gaussian,
    "speckle_noise": _kair_speckle,
    "poisson_noise": _kair_poisson,
    "jpeg": _kair_jpeg,
}


# --- BasicSR: tensors (1, C, H, W) --------------------------------------------------------------


def _dense(x: Tensor, kernel: Tensor) -> Tensor:
    k = kernel.shape[-1]
    padded = F.pad(x, (k // 2,) * 4, mode="reflect")
    return F.conv2d(padded.transpose(0, 1), kernel[None, None]).transpose(0, 1)


def _basicsr_unsharp(x: Tensor, step: Fields) -> Tensor:
    axis = torch.from_numpy(cv2.getGaussianKernel(51, 0)).float()
    kernel = axis @ axis.T
    residual = x - _dense(x, kernel)
    soft = _dense((residual.abs() * 255 > step["threshold"]).float(), kernel)
    return soft * (x + step["weight"] * residual).clamp(0, 1) + (1 - soft) * x


def _basicsr_blur(x: Tensor, step: Fields) -> Tensor:
    kernel = make_kernel(step["kernel"]).float()
    border = (21 - kernel.shape[-1]) // 2
    return _dense(x, F.pad(kernel, (border,) * 4))


def _basicsr_resize(x: Tensor, step: Fields) -> Tensor:
    return F.interpolate(x, size=tuple(step["size"]), mode=step["mode"].removeprefix("torch_"))


def _grey(x: Tensor) -> Tensor:
    return (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _basicsr_gaussian(x: Tensor, step: Fields) -> Tensor:
    like = x[:, :1] if step["kind"] == "grey" else x
    return (x + torch.randn_like(like) * (step["sigma"] / 255)).clamp(0, 1)


def _basicsr_poisson(x: Tensor, step: Fields) -> Tensor:
    mean = (((_grey(x) if step["grey"] else x) * 255).round() / 255).clamp(0, 1)
    peak = 2 ** np.ceil(np.log2(len(torch.unique(mean))))
    return (x + (torch.poisson(mean * peak) / peak - mean) * step["scale"]).clamp(0, 1)


BASICSR: dict[str, Callable] = {
    "unsharp": _basicsr_unsharp,
    "blur": _basicsr_blur,
    "resize": _basicsr_resize,
    "gaussian_noise": _basicsr_gaussian,
    "poisson_noise": _basicsr_poisson,
    "jpeg": lambda x, step: differentiable_jpeg(x, [step["quality"]], differentiable=False),
    "quantise": lambda x, step: (x.clamp(0, 1) * 255).round() / 255,
}


def _row(name: str, arguments: argparse.Namespace) -> list[str]:
    cfg, side, peer, most = CASES[name]
    degradation = create_degradation(cfg, scale=4)
    images = sample_images(side)
    on_device = [image.to(arguments.device) for image in images]
    own = measure(degradation, on_device, arguments.draws, arguments.repeats, arguments.device)
    row = [name, f"{side}", *_cells(own), f"{most:.0f}"]
    if arguments.peer_draws:
        steps = KAIR if peer == "KAIR" else BASICSR
        other = measure_peer(degradation, images, arguments.peer_draws, steps)
        row += [peer, *_cells(other), f"{other.mean() / own.mean():.0f} x"]
    return row


def _cells(times: np.ndarray) -> list[str]:
    mean, high = times.mean(), np.percentile(times, 95)
    return [f"{mean:.1f}", f"{np.median(times):.1f}", f"{high:.1f}", f"{high / mean:.2f}"]


def main() -> None:
    """Print the table, and write it if requested."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=300, help="draws per preset")
    parser.add_argument("--peer-draws", type=int, default=20, help="of the other code (0: none)")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions per draw")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--only", choices=CASES, action="append", help="only these presets")
    parser.add_argument("--out", type=Path, help="Markdown file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    np.random.seed(0)
    torch.manual_seed(0)
    times = ["mean, ms", "p50", "p95", "p95 / mean"]
    header = ["preset, x4", "size", *times, "target"]
    if arguments.peer_draws:
        header += ["operations of", *times, "faster"]
    setup = (
        f"One thread, device {arguments.device}, torch {torch.__version__}, OpenCV"
        f" {cv2.__version__}, {platform.machine()}; {arguments.draws} draws, best of"
        f" {arguments.repeats} runs each; {arguments.peer_draws} draws of the other code."
    )
    rows = [_row(name, arguments) for name in arguments.only or CASES]
    text = f"{setup}\n\n{table(header, rows)}\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
