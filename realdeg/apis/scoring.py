"""Scores of finished pictures: no model, no config, two folders."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from realdeg.apis.test_protocol import ProtocolName, chosen_protocols, metrics_of
from realdeg.datasets.checking import refuse_faults
from realdeg.datasets.records import Fault
from realdeg.errors import ConfigError, DataError, as_given
from realdeg.evaluation import ImageMetric, Protocol, Report
from realdeg.registry import METRICS
from realdeg.utils.argument_types import RealScale
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.image import as_rgb, check_image, read_image, to_tensor
from realdeg.utils.named_pairs import Matching, NamedPair, match_folders
from realdeg.utils.progress import Shown, progress_bar
from realdeg.utils.samples import Prediction
from realdeg.utils.scales import as_scale, hr_length, lr_length
from realdeg.version import __version__

DEFAULT_METRICS = ("psnr", "ssim")


def score_folders(
    pred: str | os.PathLike[str],
    gt: str | os.PathLike[str],
    *,
    protocol: ProtocolName | Sequence[ProtocolName] = "stablesr-testsets",
    metrics: Sequence[str] = DEFAULT_METRICS,
    scale: RealScale | None = None,
    pattern: str | None = None,
    gt_pattern: str | None = None,
    recursive: bool = False,
    allow_missing: bool = False,
    work_dir: str | os.PathLike[str] | None = None,
    progress: Shown = "terminal",
) -> Report:
    """Measure pictures that anything made against their ground truth, by name.

    Names match if they are equal, if they differ in what says what an image is (``_HR``, ``_LR4``,
    ``_SR``, ``x4``), or in an ending that all pictures share (``_SwinIR``); anything else needs
    patterns. Every picture is measured as it is in its file.

    Args:
        pred: The folder of pictures.
        gt: The folder of their ground truth, usually HR.
        protocol: One evaluation protocol or several, each a name or ``dict(base="rgb",
            border=4)``. The default is the one of the test sets of StableSR, which diffusion models
            are compared on; it crops no border.
        metrics: Any of ``psnr``, ``ssim``, ``ms_ssim``, ``gmsd``, ``lpips``, ``st_lpips``; with the
            extra ``realdeg[iqa]`` also ``niqe``, ``brisque``, ``piqe``, ``musiq``, ``clipiqa``,
            ``dists``, and ``pyiqa/NAME`` for any other of pyiqa.
        scale: The super-resolution scale, which some protocols need for their border.
        pattern: Name of a picture without its suffix, such as ``"{name}_x4_out"``; ``{name}`` is
            what pairs it, ``*`` stands for anything.
        gt_pattern: The same for ground truth, such as ``"{name}_HR"``.
        recursive: Whether to search subfolders.
        allow_missing: Leave out images without a partner instead of refusing them.
        work_dir: Where ``test/report.json`` and ``test/report.md`` are written, which
            ``realdeg compare`` reads; None writes nothing.
        progress: Whether to show a bar.

    Returns:
        The report: means, and the scores of each picture in ``images``.

    Raises:
        ConfigError: If a protocol, metric or pattern is wrong, or a protocol needs ``scale``.
        DataError: If a folder is missing or empty, a picture has no partner, or the two of a pair
            differ in size, or in that one is grey and the other has colour.
        OutputError: If the report cannot be written.
    """
    if not metrics:
        raise ConfigError("there is nothing to measure: name metrics, such as psnr and ssim.")
    protocols = chosen_protocols(protocol)
    _check_scale(protocols, scale)
    measured: list[ImageMetric] = [
        METRICS.build(item) for item in metrics_of(protocols, list(metrics))
    ]
    matching = match_folders(
        pred,
        gt,
        first_pattern=pattern,
        second_pattern=gt_pattern,
        recursive=recursive,
        allow_missing=allow_missing,
    )
    factor = 1 if scale is None else as_scale(scale)
    _check_sizes(matching.pairs, protocols, factor, f"{pred} against {gt}")
    folder = None if work_dir is None else ensure_writable_dir(Path(work_dir) / "test")
    report = _report(pred, gt, scale, matching)
    with progress_bar("measuring", len(matching.pairs), shown=progress) as advance:
        for number, pair in enumerate(matching.pairs, 1):
            sample = _prediction(pair, factor)
            for metric in measured:
                metric.process(None, [sample])
            advance(number)
    for metric in measured:
        metric.compute_metrics(metric.results)
        report.add(metric)
    if folder is not None:
        report.write(folder)
    return report


def _check_scale(protocols: Sequence[Protocol], scale: float | None) -> None:
    for one in protocols:
        if scale is None and "scale" in (one.border, one.mod_crop):
            raise ConfigError(
                f"the protocol '{one.name}' crops by the super-resolution scale, which the pictures"
                f" do not tell: add {as_given(scale=4)}."
            )


def _report(
    pred: str | os.PathLike[str],
    gt: str | os.PathLike[str],
    scale: float | None,
    matching: Matching,
) -> Report:
    place, truth = (Path(os.path.abspath(path)) for path in (pred, gt))
    facts = {"Pictures": str(pred), "Ground truth": str(gt)}
    if scale is not None:
        facts["Scale"] = str(scale)
    if matching.notes:
        facts["Names"] = "; ".join(matching.notes)
    facts["realdeg"] = __version__
    count = len(matching.pairs)
    images = f"{count} image{'' if count == 1 else 's'}"
    return Report(title=place.name, dataset=f"{images} of {truth.name}", facts=facts)


def _check_sizes(
    pairs: Sequence[NamedPair], protocols: Sequence[Protocol], scale: float, where: str
) -> None:
    """Refuse damaged files and pairs of different size before anything is measured."""
    faults = []
    for pair in pairs:
        try:
            sizes = [check_image(file).size for file in (pair.first, pair.second)]
        except DataError as error:
            faults.append(Fault(pair.first, str(error).rstrip(".")))
            continue
        if all(
            _cropped(sizes[0], one, scale) == _cropped(sizes[1], one, scale) for one in protocols
        ):
            continue
        (height, width), (rows, columns) = sizes
        reason = f"is {height} x {width} pixels, but {pair.second} is {rows} x {columns}"
        factor = rows / height
        if factor > 1 and math.isclose(factor, columns / width) and factor == round(factor):
            reason += f", {round(factor)} times the size: this looks like the LR image"
        faults.append(Fault(pair.first, reason))
    refuse_faults(faults, where)


def _cropped(size: tuple[int, int], protocol: Protocol, scale: float) -> tuple[int, ...]:
    multiple = protocol.mod_crop_for(scale)
    return tuple(hr_length(lr_length(side, multiple), multiple) for side in size)


@dataclass(frozen=True)
class _Picture:
    rgb: Tensor
    one_channel: bool
    is_grey: bool


def _read(file: Path) -> _Picture:
    pixels = read_image(file)
    if pixels.shape[2] in (2, 4) and int(pixels[..., -1].min()) < np.iinfo(pixels.dtype).max:
        raise DataError(
            f"{file} is partly transparent, so its colours depend on what lies behind it: save it"
            " without alpha."
        )
    rgb = as_rgb(pixels)
    one_channel = pixels.shape[2] < 3
    is_grey = one_channel or bool((rgb[..., :1] == rgb).all())
    return _Picture(to_tensor(rgb), one_channel, is_grey)


def _prediction(pair: NamedPair, scale: float) -> Prediction:
    first, second = _read(pair.first), _read(pair.second)
    grey = first.one_channel or second.one_channel
    if first.is_grey != second.is_grey and grey:
        which, other = (pair.first, pair.second) if first.one_channel else (pair.second, pair.first)
        raise DataError(
            f"{which} is grey and {other} has colour: compare two grey images or two in colour."
        )
    return Prediction(
        key=pair.key,
        prediction=first.rgb,
        target=second.rgb,
        input=first.rgb,
        scale=scale,
        meta={"grey": True} if grey else {},
    )
