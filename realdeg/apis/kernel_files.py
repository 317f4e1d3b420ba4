"""Write blur kernels as files of other programs."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from realdeg.errors import ConfigError
from realdeg.utils.files import atomic_path

# MATLAB's files name the program and the moment in their first 116 bytes; equal files are wanted.
_MAT_TEXT = b"MATLAB 5.0 MAT-file, written by realdeg".ljust(116)


def write_kernel(
    path: str | os.PathLike[str], kernel: Tensor, record: Mapping[str, Any] | None = None
) -> Path:
    """Write a kernel; equal kernels give equal bytes.

    ``.mat`` is MATLAB's version 5 with the variable ``Kernel``, ``.npy`` NumPy's float64, and
    ``.json`` has the rows in ``kernel`` beside a record.
    :func:`~realdeg.zero_shot.kernel_file.read_kernel` reads all of them.

    Args:
        path: The file; folders are made. Its suffix tells the format.
        kernel: Shape (k, k).
        record: What else a ``.json`` file states, plain data.

    Raises:
        ConfigError: If the suffix is another.
        OutputError: If it cannot be written.
    """
    kind = Path(path).suffix.lower()
    array = kernel.detach().cpu().double().numpy()
    stream = io.BytesIO()
    if kind == ".mat":
        from scipy.io import savemat

        savemat(stream, {"Kernel": array})
        content = _MAT_TEXT + stream.getvalue()[len(_MAT_TEXT) :]
    elif kind == ".npy":
        np.save(stream, array, allow_pickle=False)
        content = stream.getvalue()
    elif kind == ".json":
        content = (json.dumps({**(record or {}), "kernel": array.tolist()}) + "\n").encode()
    else:
        raise ConfigError(f"a kernel is written as .mat, .npy or .json, not as '{kind}'.")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)
