"""Kernels, bases and spectra of the degradations in a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from realdeg.apis.create import device_of
from realdeg.errors import RealdegError, first_line
from realdeg.evaluation.degradation import Bandwidth, NoiseStatistics
from realdeg.reporting import Basis, KernelField, Pictures, Plot
from realdeg.utils.image import to_tensor

if TYPE_CHECKING:
    from realdeg.apis.report_pictures import Seen, View

_MOST_TAPS = 130_000
"""Kernel taps per model: bytes in the page, before base64."""
_MOST_CELLS = 24
_MAP_SIDE = 160


def add_kernels(pictures: Pictures, group: Sequence[Seen]) -> None:
    """Predict the kernels of several degradations on a grid over the first image."""
    view, stride = group[0].views[0], group[0].stride
    stacks: dict[str, Tensor] = {}
    side = view.part[2] // stride
    for seen in group:
        hr = to_tensor(view.hr)[None]
        try:
            one = _kernels(seen.component, hr, _grid(view, stride, 1))
            cells = _cells(side, int(one.shape[-1]))
            stacks[seen.run.label] = _kernels(seen.component, hr, _grid(view, stride, cells))
        except NotImplementedError:
            sentence = f"No kernels of {seen.run.label}: its {type(seen.component).__name__}"
            pictures.left_out.append(f"{sentence} does not filter by kernels.")
        except RealdegError as error:
            pictures.left_out.append(f"No kernels of {seen.run.label}: {first_line(error)}")
    camera = group[0].camera
    if not stacks:
        return
    # Kernels of other sizes have other grids, and get an image of their own.
    for cells in dict.fromkeys(round(len(stack) ** 0.5) for stack in stacks.values()):
        models = {name: stack for name, stack in stacks.items() if len(stack) == cells**2}
        # The report does not keep where in the photo its parts lie.
        if camera is not None and not getattr(camera, "uses_place", False):
            points = _grid(view, stride, cells)
            models["true camera"] = _kernels(camera, to_tensor(view.hr)[None], points)
        pictures.fields.append(
            KernelField(
                f"{view.key}: {cells} × {cells} places",
                view.shown(view.hr, 1),
                cells,
                cells,
                {name: stack.cpu().double().numpy() for name, stack in models.items()},
                stride,
            )
        )


@torch.no_grad()
def _kernels(degradation: Any, hr: Tensor, points: list[tuple[int, int]]) -> Tensor:
    found: Tensor = degradation.kernels_at(hr.to(device_of(degradation)), points)
    return found[:, 0] if found.ndim == 4 else found


def _cells(side: int, size: int) -> int:
    return max(2, min(_MOST_CELLS, side, int((_MOST_TAPS / size**2) ** 0.5)))


def _grid(view: View, stride: int, cells: int) -> list[tuple[int, int]]:
    """Return the LR pixels in the middle of equal cells of the part that is shown."""
    side = view.part[2] // stride
    steps = [(2 * index + 1) * side // (2 * cells) for index in range(cells)]
    top, left = (start // stride for start in view.inner)
    return [(top + row, left + column) for row in steps for column in steps]


@torch.no_grad()
def add_bases(pictures: Pictures, seen: Seen) -> None:
    """Add the basis of a degradation that mixes kernels, with its weight maps."""
    degradation = seen.component
    bases = getattr(degradation, "bases", None)
    if not isinstance(bases, Tensor) or not hasattr(degradation, "weights"):
        return
    view = seen.views[0]
    maps = degradation.weights(to_tensor(view.hr)[None].to(bases.device))[0].cpu()
    top, left = (start // seen.stride for start in view.inner)
    side = view.part[2] // seen.stride
    maps = maps[:, top : top + side, left : left + side]
    if side > _MAP_SIDE:
        maps = adaptive_avg_pool2d(maps, _MAP_SIDE)
    effective = getattr(degradation, "effective_bases", lambda: bases)().cpu().double()
    stack = effective[:, 0] if effective.ndim == 4 else effective
    pictures.bases.append(
        Basis(
            f"{seen.run.label} on {view.key}",
            view.shown(view.hr, 1),
            stack.numpy(),
            maps.double().numpy(),
            seen.stride,
        )
    )


def add_spectra(pictures: Pictures, group: Sequence[Seen]) -> None:
    """Add transfer functions, power and noise of generated LR beside those of the test data."""
    plots: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for seen in group:
        if any(view.lr is None for view in seen.views):
            pictures.left_out.append(f"No spectra of {seen.run.label}: its test has no LR images.")
            return
        metrics = (Bandwidth("lr-statistics"), NoiseStatistics("lr-statistics"))
        for metric in metrics:
            try:
                for view in seen.views:
                    metric.process(None, [_sample(view, seen.scale)])
                metric.evaluate(len(seen.views))
            except RealdegError as error:
                why = first_line(error)
                pictures.left_out.append(f"No {type(metric).__name__} of {seen.run.label}: {why}")
                continue
            curves = metric.curves
            if not curves:
                why = next(iter(metric.missing.values()), metric.nothing_found)
                pictures.left_out.append(f"No {type(metric).__name__} of {seen.run.label}: {why}")
                continue
            _add(plots, seen, curves, noise=isinstance(metric, NoiseStatistics))
    units = {
        "transfer function": "contrast kept",
        f"power against the {group[0].target}": "dB",
    }
    across = "cycles per LR pixel"
    for title, series in plots.items():
        pictures.spectra.append(Plot(title, across, units.get(title, "levels"), series))


def _add(plots: dict[str, Any], seen: Seen, curves: dict[str, Tensor], *, noise: bool) -> None:
    frequency = curves["frequency"].tolist()
    if noise:
        found = {"noise in flat regions": ("generated", "real")}
        values = {key: curves[key].clamp_min(0).sqrt() for key in ("generated", "real")}
    else:
        ratio = 10 * (curves["power_generated"] / curves["power_real"]).clamp_min(1e-9).log10()
        found = {
            "transfer function": ("generated", "real"),
            f"power against the {seen.target}": ("ratio", "zero"),
        }
        values = {**curves, "ratio": ratio, "zero": 0 * ratio}
    for title, (own, real) in found.items():
        series = plots.setdefault(title, {})
        series[seen.run.label] = (frequency, values[own].tolist())
        series[seen.target] = (frequency, values[real].tolist())


def _sample(view: View, scale: float) -> Any:
    lr = np.zeros(0) if view.lr is None else view.lr
    return {
        "key": view.key,
        "prediction": to_tensor(view.made),
        "target": to_tensor(lr),
        "input": to_tensor(view.hr),
        "scale": scale,
    }
