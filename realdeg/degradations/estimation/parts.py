"""Kernels of single photos, kept until the pool of all photos is complete.

KernelGAN trains for minutes per photo. After a crash or an unreadable photo, the same command
resumes the run and trains only on the missing photos.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from realdeg.degradations.estimation.kernelgan import KernelGANResult
from realdeg.utils.files import atomic_path, remove_left_overs, sha256_file
from realdeg.version import __version__

_LARGEST = 1 << 20  # bytes: a kernel of 25 x 25 and a few numbers


class PoolParts:
    """The folder ``POOL.parts`` beside a pool.

    Args:
        pool: The pool's file.
        settings: The settings that affect a kernel, plain data.
    """

    def __init__(self, pool: Path, settings: Mapping[str, Any]) -> None:
        self.folder = pool.with_name(pool.name + ".parts")
        versions = {"realdeg": __version__, "torch": torch.__version__}
        self._settings = json.dumps({**settings, **versions}, sort_keys=True)

    def find(self, key: str, photo: Path) -> KernelGANResult | None:
        """Return an earlier run's valid result for a photo, given its name and file, or None."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            file = self._file(key, photo)
            if file.is_symlink() or not file.is_file() or file.stat().st_size > _LARGEST:
                return None
            content = file.read_bytes()
            tensors = load(content)
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])["__metadata__"]
            kernel, record = tensors["kernel"], json.loads(header["record"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError):
            return None
        # Of the record, only these two entries are used.
        square = kernel.ndim == 2 and kernel.shape[0] == kernel.shape[1]
        sums = kernel.dtype == torch.float64 and abs(float(kernel.sum()) - 1) < 1e-3
        sound = isinstance(record, dict) and isinstance(record.get("released"), bool)
        seconds = record.get("seconds") if sound else None
        sound = isinstance(seconds, int | float) and math.isfinite(seconds)
        return KernelGANResult(kernel, record) if square and sums and sound else None

    def keep(self, key: str, photo: Path, found: KernelGANResult) -> None:
        """Store the result for a photo, raising OutputError if it cannot be written."""
        from safetensors.torch import save

        record = json.dumps(found.record)
        content = save({"kernel": found.kernel.cpu().contiguous()}, metadata={"record": record})
        with atomic_path(self._file(key, photo)) as temporary:
            temporary.write_bytes(content)

    def clear(self) -> None:
        """Remove the folder, unless it holds other files."""
        if self.folder.is_symlink() or not self.folder.is_dir():
            return
        remove_left_overs(self.folder)
        if all(file.suffix == ".safetensors" for file in self.folder.iterdir()):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, key: str, photo: Path) -> Path:
        text = json.dumps([key, sha256_file(photo), self._settings])
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.safetensors"
