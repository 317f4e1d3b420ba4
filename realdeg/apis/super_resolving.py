"""Super-resolve one image or many."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from realdeg.apis.create import Source, create_backbone, find_device
from realdeg.apis.folder import Summary
from realdeg.apis.inputs import Inputs, Photos, is_pattern
from realdeg.apis.saving import Saving
from realdeg.apis.super_resolver import SuperResolver
from realdeg.apis.told import Auto, Teller, Told
from realdeg.backbones.base import Backbone
from realdeg.degradations.estimation import EstimatorLike
from realdeg.errors import ConfigError, DataError, OutputError, as_given
from realdeg.utils.files import check_replaceable, remove_left_overs
from realdeg.utils.image import Reading, check_writable
from realdeg.utils.progress import Pace, progress_bar


@dataclass(frozen=True)
class UpscaledImage:
    """One image that was super-resolved.

    Attributes:
        path: The file that was written.
        input_size: Height and width of the image.
        output_size: Height and width of the result.
        notes: Remarks on the file, such as several pages or a dropped colour profile.
    """

    path: Path
    input_size: tuple[int, int]
    output_size: tuple[int, int]
    notes: tuple[str, ...] = ()


def super_resolve(
    backbone: Source | Backbone,
    src: Photos | Inputs,
    dst: str | os.PathLike[str],
    *,
    scale: float | None = None,
    same_size: bool | None = None,
    options: Mapping[str, Any] | None = None,
    tile: int | Literal["auto"] | None = "auto",
    self_ensemble: bool = False,
    back_projection: Mapping[str, Any] | None = None,
    kernel_width: float | Auto | None = None,
    noise: float | Auto | None = None,
    kernel: str | os.PathLike[str] | None = None,
    trace: str | os.PathLike[str] | None = None,
    estimator: EstimatorLike = "KernelGAN",
    device: str | torch.device | None = None,
    jobs: int = 1,
    reading: Reading | None = None,
    saving: Saving | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Summary | UpscaledImage:
    """Super-resolve an image, or every image of a folder, as ``realdeg infer`` does.

    Args:
        backbone: Anything that :func:`realdeg.create_backbone` takes, with weights.
        src: An image, or a folder that is searched recursively; or a pattern such as
            ``"trip/**/*.jpg"``, or several of them (docs/large_photos.md).
        dst: For an image a file or a folder (one that ends in ``/`` is made); for several a
            folder, where an interrupted run continues.
        scale: The scale factor; None: that of the weights.
        same_size: Whether LR lies on the HR grid; None: as the weights state.
        options: Dotted keys that override the config
            (``{"backbone.checkpoint": "x.safetensors"}``).
        tile: Tile size in pixels of the network's input; None: the whole image at once.
        self_ensemble: Return the mean of eight passes, as :class:`SuperResolver` does.
        back_projection: ``dict(degradation=..., iterations=10)``, as for :class:`SuperResolver`.
        kernel_width: Standard deviation of a Gaussian blur in HR pixels, for a network that is told
            the degradation (SRMD, USRNet, IRCNNHQS, zero-shot methods); ``"auto"``: the Gaussian
            nearest to the kernel that is estimated for each image; None: it is told none.
        noise: Standard deviation of the noise in grey levels of 0 to 255, likewise; ``"auto"``:
            estimated for each image.
        kernel: A file of a kernel (``.npy``, ``.mat`` or ``.json``) instead of a width, or
            ``"auto"``: estimated for each image. Networks that are told the blur before bicubic
            reduction (SRMD) are told the Gaussian blur that comes nearest to an estimate. Of an
            estimator that gives each pixel a kernel (``AdaptiveKernelBasis``), SRMD and SFTMD are
            told a map, and other networks the mean kernel.
        trace: A file of traces, or the ``manifest.jsonl`` of :func:`degrade`, which states kernel
            and noise of each image.
        estimator: Name or config of the estimator of ``"auto"``.
        device: Where to compute; None: the accelerator if there is one.
        jobs: Worker processes for the images of a folder, one thread each.
        reading: How several pages and colour profiles are handled.
        saving: Names and format of the results; None: PNG files. A file that ``dst`` names has
            its own name and format.
        overwrite: Replace existing files.
        progress: Show a progress bar on stderr.

    Returns:
        The outcome for the image, or for each of several; check ``failed``.

    Raises:
        ConfigError: If the name is unknown, no weights are named, or the network is not told what
            is stated.
        CheckpointError: If the weights cannot be read, or cannot encode kernels.
        DataError: If there is no image, two have the same name, or input and output are the same.
        GeometryError: If scale or grid differ from those of the weights.
        MemoryShortageError: If memory runs out.
        OutputError: If the output already exists, or cannot be written.

    Example:
        >>> import realdeg
        >>> realdeg.super_resolve("work_dirs/vdsr", "lr", "sr")  # doctest: +SKIP
    """
    built = create_backbone(backbone, scale, same_size, trained=True, options=options)
    resolver = SuperResolver(
        built,
        device=find_device(device),
        tile=tile,
        self_ensemble=self_ensemble,
        back_projection=back_projection,
    )
    teller = Teller(resolver.backbone, Told(kernel_width, noise, kernel, trace, estimator))
    target, reading, saving = Path(dst), reading or Reading(), saving or Saving()
    source = _single(src)
    if source is None:
        return resolver.upscale_folder(
            src,
            target,
            cond=teller if teller.per_image else teller.constant,
            overwrite=overwrite,
            progress=progress,
            jobs=jobs,
            reading=reading,
            saving=saving,
        )
    if target.is_dir() or os.fspath(dst).endswith(os.sep):
        target = target / saving.possible(source.name)[0]
    elif saving.settings().get("saving", {}).keys() - {"quality"}:
        raise ConfigError(
            f"the output {target} has its own name and format: leave out"
            f" {as_given(suffix=saving.suffix, format=saving.format)}, or name a folder,"
            f" {target.stem}{os.sep}."
        )
    saving.check_quality(target.suffix[1:].lower())
    _check(source, target, overwrite)
    remove_left_overs(target.parent)
    image = reading.load(source)
    cond, told = teller.of(image.pixels, source.name)
    pace = Pace({source.name: image.pixels.shape[0] * image.pixels.shape[1] / 1e6})
    with progress_bar("upscaling", shown=progress, left=False) as advance:

        def show(done: int, total: int) -> None:
            advance(done, total, pace.note(source.name, done / max(total, 1)))

        made = resolver.upscale_into(
            image.pixels, target, cond=cond, progress=show, icc=image.icc, quality=saving.quality
        )
    notes = [*image.notes, *_told(told)]
    for training in made.get("training", []):
        at_most = f"{training['iterations']} of at most {training['most']} iterations"
        reason = {"time": "the time budget was used up after", "converged": "converged after"}
        if training["ended"] in reason:
            notes.append(f"{reason[training['ended']]} {at_most}")
    if image.icc and target.suffix.lower() == ".bmp":
        notes.append("BMP cannot store a colour profile: it was dropped")
    (height, width), (rows, columns) = image.pixels.shape[:2], made["output_size"]
    return UpscaledImage(target, (height, width), (rows, columns), tuple(notes))


def _single(src: Photos | Inputs) -> Path | None:
    """Return the one image that is named, or None for a folder, a pattern or several of them."""
    if not isinstance(src, str | os.PathLike) or is_pattern(src) or Path(src).is_dir():
        return None
    return Path(src)


def _told(record: Mapping[str, Any]) -> list[str]:
    """Phrase what was estimated and told."""
    notes = []
    if "sigma" in record:
        first, second = record["sigma"]
        blur = f"{record['estimator']}: blur of {first:.2f} and {second:.2f} pixels"
        many = record.get("kernels", 1)
        notes.append(blur if many == 1 else f"{blur} on average, {many} kernels over the image")
    elif "estimator" in record:
        notes.append(f"kernel of {record['estimator']}")
    if "noise" in record:
        notes.append(f"noise of {record['noise']:.1f} grey levels")
    return notes


def _check(source: Path, target: Path, overwrite: bool) -> None:
    """Refuse a wrong input or output before the work, not after it."""
    if target.resolve() == source.resolve():
        raise DataError(f"input and output are the same file {source}: choose another output.")
    if not source.exists():
        raise DataError(f"there is no image or folder {source}.")
    if not target.suffix:
        raise OutputError(
            f"the output {target} is neither a folder nor an image: give it the suffix .png."
        )
    check_writable(target, "uint8", 3)
    check_replaceable(target, overwrite)
