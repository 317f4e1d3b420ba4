"""Compare degradations with a real camera."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from torch.utils.data import Dataset

from realdeg.apis.comparison_pictures import draw_comparison
from realdeg.apis.comparison_result import Comparison, Result
from realdeg.apis.create import Source, create_degradation, find_device
from realdeg.apis.degrader import Colour
from realdeg.apis.recipes import Recipe, leave_out, open_recipe
from realdeg.config import inject
from realdeg.config.data_sets import build_data_sets
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
from realdeg.evaluation.protocols import get_protocol
from realdeg.utils.colour import to_colour
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.streams import stream_seed
from realdeg.utils.structural_similarity import MS_SSIM_LEAST_SIDE
from realdeg.visualization.sheets import check_crop

logger = logging.getLogger(__name__)

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
    degradations: Mapping[str, Source | Degradation],
    pairs: Recipe | Dataset[Any],
    *,
    options: Mapping[str, Any] | None = None,
    sample: bool = False,
    seed: int | None = None,
    draws: int = 1,
    colour: Colour = "rgb",
    protocol: str | Mapping[str, Any] | LrProtocol = "lr-statistics",
    shown: int = 3,
    crop: int | None = None,
    device: str | torch.device = "cpu",
    out: str | os.PathLike[str] | None = None,
    **fields: Any,
) -> Comparison:
    """Measure how near several degradations come to a real camera.

    Each HR image is degraded by each degradation and compared with the camera's LR image. Seeds
    depend only on ``seed`` and the image's key.

    Args:
        degradations: By their heading in the table; each is anything that
            :func:`realdeg.create_degradation` takes; a type gets the geometry of the pairs.
        pairs: A config whose test data are real pairs (``dml/dml_n8_realsrv3crops_x4_cpu``), or a
            data set of items with ``hr`` and ``lr`` (tensors in [0, 1]) and ``key``.
        options: Dotted keys that override the config.
        sample: Use the built-in sample images instead of the config's data.
        seed: The random seed; None: the config's, or 0.
        draws: How often each image is degraded, with different seeds. Random degradations need
            more than one draw.
        colour: ``"rgb"``, or ``"y"`` to degrade only luma, without colour metrics.
        protocol: Protocol of the metrics other than fidelity, whose protocol is ``lr-fidelity``.
        shown: Number of images in the figure.
        crop: Size of the crops in the figure in HR pixels; None: a quarter of the shorter side.
        device: Where to degrade.
        out: A folder for the table, the values and the figures. The first two are written after
            each degradation, so an interrupted comparison loses nothing. None: nothing is
            written.
        **fields: Top-level fields of the config, such as ``scale=2``.

    Returns:
        The comparison; ``comparison.files`` lists what was written.

    Raises:
        ConfigError: If there is no degradation, or an argument is out of range.
        CheckpointError: If weights cannot be read.
        DataError: If there are no pairs.
        GeometryError: If a size does not match.
        OutputError: If the folder cannot be written.
    """
    folder = (
        None if out is None else ensure_writable_dir(out)
    )  # refused before the work, not after it
    if shown < 1:
        raise ConfigError(f"shown is at least 1, got {shown}.")
    check_crop(crop)
    if isinstance(pairs, str | os.PathLike):
        cfg = _data_config(pairs, options, fields, sample, seed)
        (pairs,) = build_data_sets(cfg, ("test_dataloader",)).values()
        seed = int(cfg.seed)
        scale, same_size = cfg.scale, cfg.same_size
    else:
        scale, same_size = _geometry_of(pairs)
        # One that is built already has its own geometry, which the first pair is measured against.
        degradations = {
            name: create_degradation(source, scale, same_size, trained=True)
            if not isinstance(source, Degradation)
            else source
            for name, source in degradations.items()
        }
        scale, same_size = None, None
    # With the geometry of the pairs, which a degradation of another geometry refuses.
    built = {
        name: create_degradation(source, scale, same_size, trained=True)
        for name, source in degradations.items()
    }
    if not built or draws < 1 or colour not in ("rgb", "y"):
        raise ConfigError(
            "a comparison needs at least one degradation and one draw, and colour 'rgb' or 'y', got"
            f" {list(built)}, draws={draws}, colour={colour!r}."
        )
    chosen = get_lr_protocol(protocol)
    target = find_device(device)
    factor = next(iter(built.values())).scale
    result, items = _comparison(pairs, chosen, seed or 0, draws, colour, shown, factor)
    try:
        for name, degradation in built.items():
            result.results[name] = _measure(
                name, degradation.to(target).eval(), items, result, chosen
            )
            left = [other for other in built if other not in result.results]
            result.unfinished = (
                f"{', '.join(left)} had not been measured when this was written." if left else ""
            )
            if folder is not None:
                result.write(folder)
    except BaseException:
        if result.results and folder is not None:
            logger.warning(
                "%d of %d degradations are measured (%s): kept in %s, marked as incomplete.",
                len(result.results),
                len(built),
                ", ".join(result.results),
                folder / "comparison.md",
            )
        raise
    if folder is not None:
        result.files += draw_comparison(result, folder, crop)
    return result


def _data_config(
    config: Recipe,
    options: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
    sample: bool,
    seed: int | None,
) -> Config:
    """Return the config reduced to its test data."""
    cfg = open_recipe(config, options, fields, sample=sample, seed=seed)
    if cfg.get("test_dataloader") is None:
        raise ConfigError(f"the config '{config}' has no 'test_dataloader': there are no pairs.")
    # A network and what trains it may be missing.
    leave_out(cfg, "train", "val")
    cfg.backbone = None
    cfg.model = dict(type="DegradationLearning")
    cfg.degradation = dict(type="Bicubic")
    return inject(cfg)


def _geometry_of(pairs: Any) -> tuple[float | None, bool | None]:
    """Return scale and grid of a data set by its own word, or else by the sizes of a pair."""
    stated = getattr(pairs, "scale", None), getattr(pairs, "same_size", None)
    if None not in stated or len(pairs) == 0:
        return stated
    item = _pair(pairs, 0)
    hr, lr = (tuple(item[side].shape[-2:]) for side in ("hr", "lr"))
    if hr == lr:  # how much resolution was lost, sizes do not tell
        return stated[0], True
    scale = max(round(hr[0] / lr[0]), 1)
    fits = all(side // scale == small for side, small in zip(hr, lr, strict=True))
    return (scale, False) if fits else stated


def _comparison(
    pairs: Any,
    protocol: LrProtocol,
    seed: int,
    draws: int,
    colour: Colour,
    shown: int,
    scale: float,
) -> tuple[Comparison, list[dict[str, Any]]]:
    """Return a comparison without results, and the pairs."""
    items = [_pair(pairs, index) for index in range(len(pairs))]
    if not items:
        raise DataError("there are no pairs to compare with.")
    fidelity = get_protocol(_FIDELITY)
    result = Comparison(
        dataset=pairs.summary() if hasattr(pairs, "summary") else type(pairs).__name__,
        images=len(items),
        draws=draws,
        seed=seed,
        colour=colour,
        sample=simulated_camera(pairs) is not None,
        protocols={fidelity.name: fidelity.summary(), protocol.name: protocol.summary()},
        shown=[
            dict(key=i["key"], hr=i["hr"], real=i["lr"], scale=scale, made={})
            for i in _spread(items, shown)
        ],
    )
    return result, items


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    """Choose items evenly spaced in a list."""
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
) -> Result:
    border = get_protocol(_FIDELITY).border_for(1)
    least = min(min(item["lr"].shape[1:]) for item in items) - 2 * border
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
