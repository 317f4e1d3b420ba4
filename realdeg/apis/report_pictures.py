"""The pictures of a report: what the component of each run makes of a few of its test images."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from numpy.typing import NDArray

from realdeg.apis.create import create_backbone, create_degradation
from realdeg.apis.degrader import Degrader
from realdeg.apis.previewing import as_8_bit
from realdeg.apis.recipes import leave_out, open_recipe
from realdeg.apis.report_kernels import add_bases, add_kernels, add_spectra
from realdeg.apis.super_resolver import SuperResolver
from realdeg.config import inject
from realdeg.config.data_sets import build_data_sets
from realdeg.config.shape import trains_degradation
from realdeg.datasets import simulated_camera
from realdeg.degradations.primitives import imresize
from realdeg.errors import ConfigError, DataError, RealdegError, first_line
from realdeg.reporting import Gallery, Layer, Pictures, Shot
from realdeg.runs import RunRecord
from realdeg.utils.image import to_array, to_tensor
from realdeg.utils.streams import stream_seed
from realdeg.visualization.sheets import busiest_crop

_AROUND = 96
"""HR pixels around the part that is shown: networks and kernels see beyond it."""

Pixels = NDArray[np.uint8]


@dataclass
class View:
    """A part of a test image, and what a run made of it.

    Args:
        key: The image's name.
        part: (top, left, side) of what is shown, in HR pixels.
        inner: (top, left) of it in ``hr``.
        hr: It with its surroundings, (H, W, 3).
        lr: Their LR image, (h, w, 3); None for HR alone.
        made: What the run's component made of them.
    """

    key: str
    part: tuple[int, int, int]
    inner: tuple[int, int]
    hr: Pixels
    lr: Pixels | None
    made: Pixels

    def shown(self, image: Pixels, stride: int) -> Pixels:
        """Cut the part that is shown out of an image with ``stride`` HR pixels per pixel."""
        top, left = (start // stride for start in self.inner)
        side = self.part[2] // stride
        return image[top : top + side, left : left + side]


@dataclass
class Seen:
    """What was made for one run.

    Args:
        run: The run.
        component: Its degradation or network.
        learns_lr: Whether it is a degradation.
        scale: HR pixels per LR pixel.
        stride: HR pixels per pixel of its LR images.
        camera: The simulated camera of the test data, if it is one.
        note: What a reader should know of the LR images.
    """

    run: RunRecord
    component: Any
    learns_lr: bool
    scale: float
    stride: int
    camera: Any
    note: str
    views: list[View] = field(default_factory=list)

    @property
    def target(self) -> str:
        """What the LR images of the test data are."""
        return "real LR" if self.camera is None else "simulated camera's LR"

    def signature(self) -> str:
        """Return what two runs share whose images can be compared."""
        digest = hashlib.sha256(f"{self.learns_lr} {self.stride}".encode())
        for view in self.views:
            digest.update(repr((view.key, view.part)).encode())
            digest.update(view.hr.tobytes())
            digest.update(b"" if view.lr is None else view.lr.tobytes())
        return digest.hexdigest()


def make_pictures(
    runs: Sequence[RunRecord],
    *,
    images: int,
    side: int,
    device: str,
    options: Mapping[str, Any] | None,
) -> Pictures:
    """Run the components of runs on some of their test images.

    Args:
        runs: The runs.
        images: How many images; 0: none.
        side: Side of the part of each image that is shown, in HR pixels.
        device: Where to compute.
        options: Dotted keys that override the config of each run.

    Returns:
        The pictures. What cannot be made is left out, with a sentence that says why; the pictures
        that a test left in the run's folder then take its place.
    """
    pictures = Pictures()
    if images < 1:
        return pictures
    found: list[Seen] = []
    for run in runs:
        try:
            found.append(_see(run, images, side, device, options))
        except RealdegError as error:
            pictures.left_out.append(f"No images of {run.label}: {first_line(error)}")
            for path in run.pictures:
                pictures.figures[f"{run.label}: {path.name}, as its test drew it"] = path
    groups: dict[str, list[Seen]] = {}
    for seen in found:
        groups.setdefault(seen.signature(), []).append(seen)
    pictures.galleries = [_gallery(group) for group in groups.values()]
    for group in groups.values():
        if group[0].learns_lr:
            add_kernels(pictures, group)
            add_spectra(pictures, group)
    for seen in found:
        if seen.learns_lr:
            add_bases(pictures, seen)
    return pictures


def _see(
    run: RunRecord, images: int, side: int, device: str, options: Mapping[str, Any] | None
) -> Seen:
    """Build a run's component and its test data, and apply one to the other."""
    cfg = open_recipe(run.folder, options, device=device)
    leave_out(cfg, "train", "val")
    if cfg.get("test_dataloader") is None:
        raise ConfigError("its config has no test images ('test_dataloader').")
    learns = trains_degradation(cfg.model)
    component: Any = (
        create_degradation(run.folder, trained=True)
        if learns
        else create_backbone(run.folder, trained=True)
    )
    maker = None if learns else _maker(cfg)
    (data,) = build_data_sets(_data_only(cfg), ("test_dataloader",)).values()
    scale = float(component.scale)
    if not (component.same_size or scale.is_integer()):
        raise DataError(f"parts of images at scale {scale:g} have no whole number of pixels.")
    stride = 1 if component.same_size else int(scale)
    seen = Seen(run, component, learns, scale, stride, simulated_camera(data), "")
    apply = _degraded(component, device) if learns else _enlarged(component, device)
    for index in _spread(len(data), images):
        seen.views.append(_view(data[index], side, seen, apply, maker))
    return seen


def _data_only(cfg: Config) -> Config:
    """Return the config with nothing but its test data, so that weights may be missing."""
    cfg.backbone = None
    cfg.model = dict(type="DegradationLearning")
    cfg.degradation = dict(type="Bicubic")
    return inject(cfg)


def _maker(cfg: Config) -> Degrader | None:
    """Return what makes LR of HR images in a network's test, if it can be built."""
    if not cfg.get("degradation"):
        return None
    try:
        built = create_degradation(dict(cfg.degradation), cfg.scale, cfg.same_size, trained=True)
    except RealdegError:  # its file may be missing, and pairs do not need it
        return None
    return Degrader(built, device="cpu")


def _degraded(degradation: Any, device: str) -> Any:
    degrader = Degrader(degradation, device=device)

    def apply(key: str, hr: Pixels, lr: Pixels | None) -> Pixels:
        return as_8_bit(degrader.degrade(hr, stream_seed(0, key, "degradation"))[0])

    return apply


def _enlarged(backbone: Any, device: str) -> Any:
    resolver = SuperResolver(backbone, device=device)

    def apply(key: str, hr: Pixels, lr: Pixels | None) -> Pixels:
        assert lr is not None
        return as_8_bit(resolver.upscale(lr))

    return apply


def _spread(count: int, wanted: int) -> list[int]:
    """Choose indices evenly spaced."""
    wanted = min(count, wanted)
    return [index * count // wanted for index in range(wanted)]


def _view(item: Any, side: int, seen: Seen, apply: Any, maker: Degrader | None) -> View:
    """Choose the part of an image, and make what the run makes of it."""
    key, hr = str(item["key"]), to_array(item["hr"])
    stride = seen.stride
    # Degradations whose LR stays on the HR grid still want sides that the scale divides.
    step = max(stride, math.ceil(seen.scale))
    height, width = (length // step * step for length in hr.shape[:2])
    side = min(side, height, width) // step * step
    if side < step:
        raise DataError(f"the image '{key}' is smaller than one LR pixel.")
    top, left = (
        min(at // step * step, edge - side)
        for at, edge in zip(
            busiest_crop(as_8_bit(hr[:height, :width]), side), (height, width), strict=True
        )
    )
    around = _AROUND // step * step
    start = (max(0, top - around), max(0, left - around))
    end = (min(height, top + side + around), min(width, left + side + around))
    part = as_8_bit(hr[start[0] : end[0], start[1] : end[1]])
    lr: Pixels | None = None
    if item.get("lr") is not None:
        whole = as_8_bit(to_array(item["lr"]))
        rows, columns = (slice(a // stride, b // stride) for a, b in zip(start, end, strict=True))
        lr = whole[rows, columns]
    elif maker is not None:
        lr = as_8_bit(maker.degrade(part, stream_seed(0, key, "degradation"))[0])
        seen.note = f" LR is made of HR by {maker.degradation.describe()}."
    elif not seen.learns_lr:
        raise DataError(f"the test image '{key}' has no LR, and nothing makes it of HR.")
    inner = (top - start[0], left - start[1])
    with torch.no_grad():
        made = apply(key, part, lr)
    return View(key, (top, left, side), inner, part, lr, made)


def _gallery(group: Sequence[Seen]) -> Gallery:
    first = group[0]
    names = ", ".join(seen.run.label for seen in group)
    shots = tuple(_shot(group, index) for index in range(len(first.views)))
    shared = set.intersection(*({layer.name for layer in shot.layers} for shot in shots))
    made = f"LR of {first.run.label}" if first.learns_lr else first.run.label
    if first.learns_lr:
        title = f"LR generated and real: {names}"
        if first.camera is not None:
            title = f"LR generated and by a simulated camera: {names}"
        before = first.target if first.target in shared else "HR"
        note = f"Each degradation was applied to HR. PSNR is against the {first.target}"
    else:
        title = f"Super-resolved: {names}"
        before = "bicubic" if "bicubic" in shared else "LR"
        note = "Each network was applied to LR. PSNR is against HR"
    note += f", of the part shown, in RGB without a shaved border.{first.note}"
    return Gallery(title, note, shots, before, made)


def _shot(group: Sequence[Seen], index: int) -> Shot:
    first = group[0]
    view, stride = first.views[index], first.stride
    hr = view.shown(view.hr, 1)
    layers = [Layer("HR", hr)]
    real = None if view.lr is None else view.shown(view.lr, stride)
    if first.learns_lr:
        if real is not None:
            layers.append(Layer(first.target, real))
        for seen in group:
            made = seen.views[index].shown(seen.views[index].made, stride)
            layers.append(Layer(f"LR of {seen.run.label}", made, _psnr(made, real)))
    elif view.lr is not None and real is not None:
        layers.append(Layer("LR", real, _psnr(real, hr) if stride == 1 else ""))
        if stride > 1:
            enlarged = imresize(to_tensor(view.lr)[None], stride)[0]
            bicubic = view.shown(to_array(enlarged), 1)
            layers.append(Layer("bicubic", bicubic, _psnr(bicubic, hr)))
        for seen in group:
            made = seen.views[index].shown(seen.views[index].made, 1)
            layers.append(Layer(seen.run.label, made, _psnr(made, hr)))
    top, left, side = view.part
    return Shot(view.key, f"{side} × {side} HR pixels at row {top}, column {left}", tuple(layers))


def _psnr(image: Pixels, target: Pixels | None) -> str:
    if target is None or image.shape != target.shape:
        return ""
    error = float(np.square(image.astype(np.float64) - target).mean())
    return "equal" if error == 0 else f"{10 * math.log10(255**2 / error):.2f} dB"
