"""Pools of blur kernels or noise patches from real photos, as self-describing files.

A pool file is safetensors: one tensor, and JSON in the metadata. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg.degradations.primitives.kernels import SUM_TOLERANCE
from realdeg.errors import DataError
from realdeg.utils.component import plain
from realdeg.utils.construction import refuse_other_files
from realdeg.utils.files import atomic_path
from realdeg.utils.plain_json import read_json
from realdeg.utils.tensor_file import open_tensors

POOL_FORMAT = "realdeg-pool-1"
KINDS = ("kernels", "noise")
# A degradation's window is at most 63 x 63; a patch larger than 1024 would be an image.
_LARGEST = {"kernels": 63, "noise": 1024}


@dataclass(frozen=True)
class Pool:
    """Kernels or noise patches with their origin.

    Args:
        kind: ``"kernels"`` or ``"noise"``.
        items: Kernels: correlation kernels of sum 1, float32, shape (N, k, k), k from 1 to 63; the
            window of LR pixel i starts at HR pixel ``stride * i + floor((stride - k) / 2)``, with
            stride 1 where ``same_size``, else ``scale``. Noise: patches of LR pixels around zero in
            units of [0, 1], float16 (steps below 0.03 grey levels), shape (N, C, p, p), C = 1 or 3.
        scale: Kernels: the downscaling factor they were extracted for. Noise: 1.
        same_size: Kernels: whether they produce LR on the HR grid.
        meta: How the pool was extracted (source, method, settings), plain data.
        records: One mapping per item (photo, position, quality of the fit), or none at all.

    Raises:
        DataError: If the pool is empty or an item is invalid.
    """

    kind: str
    items: Tensor = field(repr=False)
    scale: int = 1
    same_size: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Check every item, and convert them to the pool's dtype."""
        if self.kind not in KINDS:
            raise DataError(f"a pool holds {' or '.join(KINDS)}, got {self.kind!r}.")
        if isinstance(self.scale, bool) or not isinstance(self.scale, int) or self.scale < 1:
            raise DataError(f"a pool's scale is a positive integer, got {self.scale!r}.")
        items = self.items.detach().cpu()
        dimensions = 3 if self.kind == "kernels" else 4
        if items.ndim != dimensions or items.shape[-1] != items.shape[-2]:
            wanted = "(N, k, k)" if self.kind == "kernels" else "(N, C, p, p)"
            raise DataError(f"a pool of {self.kind} is {wanted}, got shape {tuple(items.shape)}.")
        if not items.shape[0]:
            raise DataError(f"the pool of {self.kind} is empty: extract some first.")
        size = items.shape[-1]
        if not 1 <= size <= _LARGEST[self.kind]:
            raise DataError(
                f"a pool's {self.kind} are up to {_LARGEST[self.kind]} pixels wide, got {size}."
            )
        if not torch.isfinite(items).all():
            raise DataError(f"the pool of {self.kind} holds numbers that are not finite.")
        if self.kind == "kernels":
            self._check_sums(items)
        elif items.shape[1] not in (1, 3):
            raise DataError(f"noise patches have 1 or 3 channels, got {items.shape[1]}.")
        elif items.abs().max() > 1:
            raise DataError("noise patches are in units of [0, 1], so between -1 and 1.")
        if self.records and len(self.records) != items.shape[0]:
            raise DataError(
                f"a pool of {items.shape[0]} {self.kind} has {len(self.records)} records: one per"
                " item, or none."
            )
        dtype = torch.float32 if self.kind == "kernels" else torch.float16
        object.__setattr__(self, "items", items.to(dtype).contiguous())

    @staticmethod
    def _check_sums(items: Tensor) -> None:
        off = (items.double().sum((-2, -1)) - 1).abs()
        worst = int(off.argmax())
        if off[worst] > SUM_TOLERANCE:
            raise DataError(
                f"kernel {worst} of the pool sums to {float(items[worst].double().sum()):.4g}: a"
                " pool's kernels sum to 1, divide them by their sums first."
            )

    def __len__(self) -> int:
        """Return the number of items."""
        return int(self.items.shape[0])

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits that identify the items and their geometry."""
        return items_hash(self.kind, self.items, self.scale, self.same_size)

    def describe(self) -> str:
        """Return a one-line description with the source."""
        size = self.items.shape[-1]
        source = str(self.meta.get("source", "unknown source"))
        if self.kind == "kernels":
            grid = "LR on the HR grid" if self.same_size else f"LR {self.scale} times smaller"
            return f"{len(self)} kernels of {size} x {size}, x{self.scale}, {grid}: {source}"
        channels = "grey" if self.items.shape[1] == 1 else "RGB"
        return f"{len(self)} {channels} noise patches of {size} x {size}: {source}"

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the pool atomically.

        Args:
            path: The ``.safetensors`` file.

        Returns:
            The pool's hash.

        Raises:
            OutputError: If the file cannot be written.
        """
        from safetensors.torch import save

        header = {
            "format": POOL_FORMAT,
            "kind": self.kind,
            "scale": json.dumps(self.scale),
            "same_size": json.dumps(self.same_size),
            "meta": json.dumps(plain(dict(self.meta)), sort_keys=True),
            "records": json.dumps([plain(dict(record)) for record in self.records]),
            "hash": self.hash,
        }
        content = save({"items": self.items}, metadata=header)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
        return self.hash


def items_hash(kind: str, items: Tensor, scale: int, same_size: bool) -> str:
    """Hash the items of a pool and their geometry to 16 hexadecimal digits."""
    shape = [int(n) for n in items.shape]
    digest = hashlib.sha256(json.dumps([kind, scale, bool(same_size), shape]).encode())
    digest.update(items.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def load_pool(path: str | os.PathLike[str], kind: str | None = None) -> Pool:
    """Read a pool file.

    Args:
        path: The ``.safetensors`` file.
        kind: The kind it must be; None takes either.

    Returns:
        The pool.

    Raises:
        DataError: If the file is missing, damaged, altered, empty or of another kind.
    """
    refuse_other_files(path)
    file = Path(path)
    if not file.is_file():
        raise DataError(
            f"no pool at {file}: the file does not exist. 'realdeg extract_pools' makes one from"
            " photos."
        )
    try:
        with open_tensors(file) as opened:
            header = opened.metadata() or {}
            names = list(opened.keys())
            items = opened.get_tensor("items") if names == ["items"] else None
    except (OSError, ValueError) as error:
        raise DataError(f"the pool {file} cannot be read ({error}): extract it again.") from error
    if header.get("format") != POOL_FORMAT or items is None:
        raise DataError(
            f"{file} is not a pool (format {header.get('format')!r}, wanted {POOL_FORMAT!r}): pools"
            " are written by 'realdeg extract_pools'."
        )
    if kind is not None and header.get("kind") != kind:
        raise DataError(f"{file} is a pool of {header.get('kind')}, wanted one of {kind}.")
    try:
        pool = Pool(
            header["kind"],
            items,
            _read(header, "scale"),
            bool(_read(header, "same_size")),
            _mapping(_read(header, "meta")),
            tuple(_mapping(record) for record in _read(header, "records")),
        )
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"the description inside the pool {file} is damaged ({error}).") from error
    except DataError as error:
        raise DataError(f"the pool {file} cannot be used: {error}") from error
    if pool.hash != header.get("hash"):
        raise DataError(f"the pool {file} was altered: its items do not match its own hash.")
    return pool


def merge_pools(pools: Sequence[Pool]) -> Pool:
    """Merge several pools of one kind and geometry.

    Args:
        pools: At least one; items must have one size, as kernels are not padded.

    Returns:
        The pool; its ``meta`` lists the hashes of the merged ones.

    Raises:
        DataError: If there is no pool, or kind, scale, grid or size differ.
    """
    if not pools:
        raise DataError("there is no pool to merge.")
    first = pools[0]
    traits = {(p.kind, p.scale, p.same_size, tuple(p.items.shape[1:])) for p in pools}
    if len(traits) > 1:
        each = "; ".join(pool.describe() for pool in pools)
        raise DataError(f"pools of different kinds or geometries cannot be merged: {each}.")
    records: list[Mapping[str, Any]] = []
    for pool in pools:
        records += pool.records or [{} for _ in range(len(pool))]
    sources = ", ".join(dict.fromkeys(str(p.meta.get("source", "unknown")) for p in pools))
    meta = {"source": sources, "merged": [pool.hash for pool in pools]}
    items = torch.cat([pool.items for pool in pools])
    return Pool(first.kind, items, first.scale, first.same_size, meta, tuple(records))


def _read(header: Mapping[str, str], key: str) -> Any:
    return read_json(header[key], f"'{key}'", DataError, largest=1 << 24, finite=False)


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not a mapping")
    return value
