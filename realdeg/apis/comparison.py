"""Several degradations beside a real camera: every number, and what a picture of it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from realdeg.apis.comparison_result import Comparison, Result
from realdeg.datasets import simulated_camera
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, DataError
from realdeg.evaluation.degradation import (
    Bandwidth,
    ColourDrift,
    EffectiveKernel,
    LrProtocol,
    NoiseStatistics,
    PatchDistance,
    SubPixelShift,
    get_lr_protocol,
)
from realdeg.evaluation.image_quality import ImageQuality
from realdeg.evaluation.metrics.ssim import MS_SSIM_LEAST_SIDE
from realdeg.evaluation.protocols import get_protocol
from realdeg.utils.colour import to_colour
from realdeg.utils.streams import stream_seed

CAMERA = "camera"
_FIDELITY = "lr-fidelity"
_METRICS = (
    EffectiveKernel,
    SubPixelShift,
    ColourDrift,
    NoiseStatistics,
    Bandwidth,
    PatchDistance,
)


def compare_degradations(
    degradations: Mapping[str, Degradation],
    pairs: Any,
    *,
    seed: int = 0,
    draws: int = 1,
    colour: str = "rgb",
    protocol: str | Mapping[str, Any] | LrProtocol = "lr-statistics",
    shown: int = 3,
    device: torch.device | str = "cpu",
    on_result: Callable[[Comparison], None] | None = None,
) -> Comparison:
    """Measure how near several degradations come to a real camera.

    Each HR image of the pairs is degraded by each degradation, with a seed that is a function of
    ``seed`` and the image's key alone, and compared with the camera's own LR image.

    Args:
        degradations: By the name that stands in the table; of one geometry, that of the pairs.
        pairs: A data set of real pairs: items with ``hr`` and ``lr`` (tensors in [0, 1]) and
            ``key``.
        seed: The seed of everything random.
        draws: How often each image is degraded, with seeds of their own: a random degradation
            should be looked at more than once.
        colour: ``"rgb"``, or ``"y"`` to degrade luma alone; numbers of colour are missing then.
        protocol: Of the numbers beyond fidelity, whose protocol is ``lr-fidelity``.
        shown: How many images are kept for a picture.
        device: Where to degrade.
        on_result: Called with the comparison so far after each degradation, so that it can be
            written; whatever ends the comparison early then loses nothing of those before.

    Returns:
        The comparison.

    Raises:
        ConfigError: If there is no degradation, or an argument means nothing.
        DataError: If there are no pairs.
        GeometryError: If a size does not fit.
    """
    if not degradations or draws < 1 or colour not in ("rgb", "y"):
        raise ConfigError(
            "a comparison needs one degradation, one draw and colour 'rgb' or 'y' at least, got"
            f" {list(degradations)}, draws={draws}, colour={colour!r}."
        )
    chosen = get_lr_protocol(protocol)
    items = [_pair(pairs, index) for index in range(len(pairs))]
    if not items:
        raise DataError("there are no pairs to compare with.")
    summary = pairs.summary() if hasattr(pairs, "summary") else type(pairs).__name__
    fidelity = get_protocol(_FIDELITY)
    result = Comparison(
        dataset=summary,
        images=len(items),
        draws=draws,
        seed=seed,
        colour=colour,
        sample=simulated_camera(pairs) is not None,
        protocols={fidelity.name: fidelity.summary(), chosen.name: chosen.summary()},
        shown=[
            dict(key=i["key"], hr=i["hr"], real=i["lr"], made={}) for i in _spread(items, shown)
        ],
    )
    least = min(min(item["lr"].shape[1:]) for item in items) - 2 * fidelity.border_for(1)
    for name, degradation in degradations.items():
        result.results[name] = _measure(
            name, degradation.to(device).eval(), items, result, chosen, least
        )
        left = [other for other in degradations if other not in result.results]
        result.unfinished = (
            f"{', '.join(left)} had not been measured when this was written." if left else ""
        )
        if on_result is not None:
            on_result(result)
    return result


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    """Choose some items from all over a list."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _pair(pairs: Any, index: int) -> dict[str, Any]:
    item = pairs[index]
    if item.get("lr") is None:
        raise DataError(
            f"the data set has no real LR image for '{item.get('key', index)}': a comparison needs"
            " pairs."
        )
    return {"key": str(item["key"]), "hr": item["hr"], "lr": item["lr"]}


@torch.no_grad()
def _measure(
    name: str,
    degradation: Degradation,
    items: Sequence[Mapping[str, Any]],
    comparison: Comparison,
    protocol: LrProtocol,
    least: int,
) -> Result:
    names = ["psnr", "ssim", "gmsd"]
    result = Result(degradation.describe())
    if least >= MS_SSIM_LEAST_SIDE:
        names.insert(2, "ms_ssim")
    else:
        result.missing[get_protocol(_FIDELITY).label("ms_ssim")] = (
            f"it needs {MS_SSIM_LEAST_SIDE} px per side, and the smallest LR image has {least}"
            " after the border is shaved."
        )
    metrics: list[Any] = [ImageQuality(_FIDELITY, names)]
    metrics += [metric(protocol) for metric in _METRICS]
    device = next(iter((*degradation.parameters(), *degradation.buffers())), torch.empty(0)).device
    shown = {row["key"]: row for row in comparison.shown}
    for item in items:
        for draw in range(comparison.draws):
            key = item["key"] if draw == 0 else f"{item['key']} (draw {draw + 1})"
            hr = to_colour(item["hr"], comparison.colour)[None].to(device)
            lr = degradation(hr, [stream_seed(comparison.seed, key, "degradation")])[0].cpu()
            sample = dict(
                key=key,
                prediction=lr,
                target=item["lr"],
                input=item["hr"],
                scale=degradation.scale,
            )
            for metric in metrics:
                metric.process(None, [sample])
            if draw == 0 and key in shown:
                psnr = next(iter(metrics[0].results[-1].mean().values()))
                shown[key]["made"][name] = (lr.clamp(0, 1), psnr)
    count = len(items) * comparison.draws
    for metric in metrics:
        for label, value in metric.evaluate(count).items():
            base, bracket, rest = label.partition("[")
            if base.endswith(f"_{CAMERA}"):
                comparison.camera[base.removesuffix(f"_{CAMERA}") + bracket + rest] = value
            else:
                result.numbers[label] = value
        result.missing |= {
            label: reason
            for label, reason in metric.missing.items()
            if not label.split("[")[0].endswith(f"_{CAMERA}")
        }
        for attribute in ("curves", "kernels"):
            if getattr(metric, attribute, None):
                result.curves[type(metric).__name__] = getattr(metric, attribute)
    return result
