"""Files of one blur kernel: ``.npy``, ``.mat`` and ``.json``."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realdeg.backbones.formats import read_matrix
from realdeg.degradations.primitives.kernels import LARGEST_KERNEL, SUM_TOLERANCE, centred
from realdeg.errors import ConfigError, DataError
from realdeg.utils.construction import refuse_other_files
from realdeg.utils.files import open_regular
from realdeg.utils.plain_json import read_json
from realdeg.zero_shot.reductions import recorded_kernel

SUFFIXES = (".npy", ".mat", ".json")
# KernelGAN's name, and usual ones.
_NAMES = ("Kernel", "kernel", "k", "K")
_LARGEST_FILE = 4 << 20


def read_kernel(path: str | os.PathLike[str], scale: int) -> Tensor:
    """Read a kernel, and centre it on the LR pixels.

    A file holds one correlation kernel on the HR grid, as ``realdeg estimate`` writes it: a
    ``.npy`` array; a ``.mat`` of MATLAB 5 to 7.2 with the matrix ``Kernel`` (KernelGAN's), or
    ``kernel``, ``k`` or ``K``; or ``.json`` with the rows in ``kernel``, or with a record for
    :func:`~realdeg.degradations.primitives.kernels.make_kernel`. Kernels for convolution
    (cszn/KAIR) are to be turned by 180 degrees before.

    Args:
        path: The file; its suffix tells the format.
        scale: HR pixels per LR pixel.

    Returns:
        (k, k), float64, sum 1.

    Raises:
        DataError: If the file is missing, damaged or holds no kernel: another shape than square, a
            side above 255, a sum other than 1, or a centroid beside it.
        CheckpointError: If a ``.mat`` file is damaged or has no such matrix.
    """
    refuse_other_files(path)
    file = Path(path)
    if not file.is_file():
        found = "it is a folder" if file.is_dir() else "the file does not exist"
        raise DataError(
            f"there is no kernel at {file}: {found}. Name a file ({', '.join(SUFFIXES)})."
        )
    size = file.stat().st_size
    if size > _LARGEST_FILE:
        raise DataError(f"{file} has {size} bytes, more than a kernel has.")
    kind = file.suffix.lower()
    if kind == ".mat":
        kernel = read_matrix(file, *_NAMES)
    elif kind == ".npy":
        kernel = _array(file)
    elif kind == ".json":
        kernel = _record(file, scale)
    else:
        raise DataError(
            f"{file} is no file of a kernel: its suffix is none of {', '.join(SUFFIXES)}."
        )
    kernel = checked_kernel(kernel, f"the kernel in {file}")
    try:
        return centred(kernel, scale)
    except ValueError as error:
        raise DataError(
            f"the kernel in {file} has its centroid far outside of its middle, so it is no blur:"
            " its weights below 0 nearly cancel the others."
        ) from error


def checked_kernel(kernel: Tensor, what: str) -> Tensor:
    """Return a kernel as float64, divided by its sum.

    Args:
        kernel: What was read.
        what: The subject of a message.

    Raises:
        DataError: If it is not square, larger than 255 pixels, or does not sum to 1.
    """
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise DataError(f"{what} has the shape {tuple(kernel.shape)}: a kernel is square, (k, k).")
    if not 1 <= len(kernel) <= LARGEST_KERNEL:
        raise DataError(
            f"{what} is {len(kernel)} pixels wide: kernels have 1 to {LARGEST_KERNEL} pixels."
        )
    kernel = kernel.double()
    total = float(kernel.sum())
    if not abs(total - 1) < SUM_TOLERANCE:  # NaN fails, too
        raise DataError(
            f"{what} has the sum {total:g}: divide it by its sum, so that it keeps the brightness."
        )
    return kernel / total


def _array(file: Path) -> Tensor:
    """Read an array, after its header was checked: no pickles, no sizes that the file lacks."""
    with open_regular(file) as stream:
        content = stream.read()
    source = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(source)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = reader(source)
        if dtype.kind not in "fiu" or dtype.itemsize * math.prod(shape) > len(content):
            raise ValueError(f"{dtype} of shape {shape}")
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, KeyError, OSError, OverflowError) as error:
        raise DataError(f"{file} is not a NumPy array of numbers ({error}).") from error
    return torch.from_numpy(array.astype(np.float64))


def _record(file: Path, scale: int) -> Tensor:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the kernel {file} ({error}).") from error
    value = read_json(text, f"the kernel {file}", DataError)
    if isinstance(value, Mapping) and "kernel" in value:
        value = value["kernel"]
    if isinstance(value, Mapping):
        try:
            return recorded_kernel(value, scale, f"the kernel {file}")
        except ConfigError as error:
            raise DataError(str(error)) from error
    return _rows(value, file)


def _rows(value: Any, file: Path) -> Tensor:
    sound = isinstance(value, list) and all(isinstance(row, list) for row in value)
    if not sound or len({len(row) for row in value}) != 1:
        raise DataError(f"the kernel in {file} is neither a record nor rows of equal length.")
    numbers = [one for row in value for one in row]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers):
        raise DataError(f"the kernel in {file} holds something other than numbers.")
    return torch.tensor(value, dtype=torch.float64)
