"""Make test sets of known blur from a folder of HR images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from realdeg.apis.degrader import Degrader
from realdeg.apis.folder import Summary, process_folder
from realdeg.apis.kernel_files import write_kernel
from realdeg.apis.manifest import Record, read_manifest
from realdeg.apis.workers import usable_cores
from realdeg.degradations.blur_down import BlurDown, traced_kernel
from realdeg.degradations.blur_kinds import EIGHT_WIDTHS, KINDS
from realdeg.degradations.pool import Pool
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, nearest
from realdeg.utils.image import LoadedImage, Reading, write_image
from realdeg.visualization.pools import pool_picture

SetName = Literal["DIV2KRK", "Gaussian8"]
Position = Literal["aligned", "half-pixel", "corner"]

SETS: tuple[str, ...] = get_args(SetName)
"""The sets that can be made."""

POSITIONS: tuple[str, ...] = get_args(Position)
"""Where LR pixel 0 may lie."""

_SCALES = tuple(range(2, 9))


@dataclass(frozen=True)
class BlindSet:
    """A test set of known blur.

    Args:
        folder: Where it is.
        hr: The outcome of the HR images, which were cropped.
        lr: The outcome of the LR images, by the folder of LR: ``"LR"``, or one for each width.
        kernels: How many kernel files were written.
    """

    folder: Path
    hr: Summary
    lr: Mapping[str, Summary]
    kernels: int

    @property
    def ok(self) -> bool:
        """Whether no image failed."""
        return self.hr.ok and all(summary.ok for summary in self.lr.values())

    def describe(self) -> str:
        """Return the outcome of every folder, and the number of kernels."""
        lines = [summary.describe() for summary in (self.hr, *self.lr.values())]
        return "\n".join([*lines, f"{self.folder / 'kernels'}: {self.kernels} kernels"])


def make_test_set(
    name: SetName,
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    *,
    scale: int,
    position: Position = "aligned",
    seed: int = 0,
    jobs: int | None = None,
    reading: Reading | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> BlindSet:
    """Make a test set of known blur, as ``realdeg make_test_set`` does.

    ``DIV2KRK`` draws an anisotropic kernel with multiplicative noise for each image. ``Gaussian8``
    blurs every image by each of eight isotropic kernels. The folder receives

    - ``HR``: the images, cropped at the bottom and the right to a multiple of the scale,
    - ``LR``, or ``LR/sigma_0.8`` and so on: the LR images under the same names, and
      ``manifest.jsonl`` with the trace of each,
    - ``kernels``: a MATLAB file for each kernel, variable ``Kernel``: the correlation kernel on the
      HR grid that is applied before the reduction,
    - ``kernels.png``: up to 64 of them.

    The same call continues an interrupted run and gives the same bytes.

    Args:
        name: ``"DIV2KRK"`` or ``"Gaussian8"``.
        src: Folder of HR images, searched recursively.
        dst: The folder to make.
        scale: 2 to 8; 2, 3 or 4 for Gaussian8.
        position: Where LR pixel 0 lies in HR pixels: ``"aligned"``, (scale - 1) / 2, as for bicubic
            LR; ``"half-pixel"``, scale / 2, as the code of DIV2KRK's authors places it; or
            ``"corner"``, 0: a centred kernel and every scale-th pixel, as KXNet's.
        seed: The random seed of the kernels.
        jobs: Worker processes, one thread each; None: the number of cores.
        reading: How several pages and colour profiles are handled.
        overwrite: Start again and replace existing files.
        progress: Show progress bars on stderr.

    Returns:
        The outcome for each image; check ``ok``.

    Raises:
        ConfigError: If the set, the scale or the position is unknown, or ``dst`` was started with
            other settings.
        DataError: If there is no image, or one folder contains the other.
        OutputError: If ``dst`` cannot be written.

    Source:
        DIV2KRK: Bell-Kligler, Shocher and Irani, KernelGAN, NeurIPS 2019, with the numbers of
        assafshocher/BlindSR_dataset_generator (def9187). Gaussian8: Gu et al., IKC, CVPR 2019, with
        the widths of yuanjunchai/IKC (028333e).

    Example:
        >>> import realdeg
        >>> realdeg.make_test_set("DIV2KRK", "photos", "set", scale=4)  # doctest: +SKIP
    """
    parts = set_degradations(name, scale, position)
    folder = Path(dst)
    count = usable_cores() if jobs is None else jobs
    options: dict[str, Any] = {"overwrite": overwrite, "progress": progress, "reading": reading}
    hr = process_folder(
        src,
        folder / "HR",
        partial(_crop, scale=scale),
        {"crop_to_multiple_of": scale},
        title="cropping",
        jobs=count,
        threads=1,
        **options,
    )
    lr: dict[str, Summary] = {}
    kernels: dict[str, Tensor] = {}
    for part, degradation in parts.items():
        place = Path("LR") / part
        degrader = Degrader(degradation, device="cpu")
        summary = degrader.degrade_folder(src, folder / place, seed=seed, jobs=count, **options)
        lr[str(place)] = summary
        if summary.made or summary.kept:
            kernels |= _kernels(folder / place, part)
    for file, kernel in kernels.items():
        write_kernel(folder / "kernels" / f"{file}.mat", kernel)
    if kernels:
        stack = torch.stack(list(kernels.values())).float()
        pool = Pool("kernels", stack, scale, False, {})
        # Gaussian8 blurs on the HR grid, before the reduction.
        stride = 1 if name == "Gaussian8" else scale
        pool_picture(
            pool, folder / "kernels.png", stride=stride, title=f"Kernels of {name}, x{scale}"
        )
    return BlindSet(folder, hr, lr, len(kernels))


def set_degradations(name: str, scale: int, position: str = "aligned") -> dict[str, BlurDown]:
    """Return the degradations of a test set by the folder that each has below ``LR``.

    Args:
        name: ``"DIV2KRK"`` or ``"Gaussian8"``.
        scale: 2 to 8; 2, 3 or 4 for Gaussian8.
        position: See :func:`make_test_set`.

    Raises:
        ConfigError: If the set, the scale or the position is unknown.
    """
    for word, value, known in (("set", name, SETS), ("position", position, POSITIONS)):
        if value not in known:
            hint = nearest(str(value), known)
            raise ConfigError(f"the {word} is one of {', '.join(known)}, got {value!r}.{hint}")
    scales = tuple(EIGHT_WIDTHS) if name == "Gaussian8" else _SCALES
    if scale not in scales:
        raise ConfigError(f"the scale of {name} is from {scales[0]} to {scales[-1]}, got {scale}.")
    if name == "DIV2KRK":
        centres: dict[str, Any] = {"aligned": "aligned", "half-pixel": scale / 2, "corner": 0.0}
        kernel = {**KINDS[name].kernel(scale), "centre": centres[position]}
        return {"": BlurDown(scale, kind=name, kernel=kernel)}
    found = {}
    for width in EIGHT_WIDTHS[scale]:
        kernel = {"shape": "gaussian", "size": 21, "sigma_x": width}
        if position == "half-pixel":
            kernel |= {"centre": 0.5, "recentre": True}
        reduction = "s_fold" if position == "corner" else "bicubic"
        found[f"sigma_{width:g}"] = BlurDown(scale, kind=name, kernel=kernel, reduction=reduction)
    return found


def _crop(image: LoadedImage, name: str, path: Path, *, scale: int) -> Record:
    height, width = (side - side % scale for side in image.pixels.shape[:2])
    write_image(path, image.pixels[:height, :width], icc=image.icc)
    return {
        "output_size": [height, width],
        "cropped": [height, width] != list(image.pixels.shape[:2]),
    }


def _kernels(lr: Path, part: str) -> dict[str, Tensor]:
    """Return the kernels of a folder of LR by the name of their file."""
    _, records = read_manifest(lr)
    found = {
        str(Path(record["output"]).with_suffix("")): traced_kernel(Trace.from_dict(record["trace"]))
        for record in records.values()
    }
    # One for all images, where the part names the width.
    return {part: next(iter(found.values()))} if part else found
