"""What degradations that draw from a pool share: the pool lies inside, as buffers."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.pool import Pool, items_hash, load_pool
from realdeg.errors import ConfigError, DataError
from realdeg.utils.annotations import mismatch

PoolSource = str | os.PathLike[str] | Mapping[str, Any] | Pool | None
# A file may ask for room before its items are read: room for 20000 noise patches of 64 x 64.
_MOST_NUMBERS = 1 << 28
# What the file of a pooled degradation says of its pool; of "shape" each number.
_DESCRIBED = {"shape": int, "scale": int, "same_size": bool, "source": str}


class PooledDegradation(Degradation):
    """A degradation with a :class:`Pool` inside; its own file needs no pool file beside it.

    Args:
        scale: See :class:`Degradation`.
        same_size: See :class:`Degradation`.
        pool: The path of a pool file, a pool, None for the stand-in, or what :attr:`arguments`
            says of a pool whose items come from a state dict.
        kind: ``"kernels"`` or ``"noise"``.

    Raises:
        ConfigError: If ``pool`` is something else.
        DataError: If the pool cannot be read or is empty.
    """

    pool_items: Tensor

    def __init__(self, scale: int, same_size: bool, pool: PoolSource, kind: str) -> None:
        super().__init__(scale, same_size)
        self.pool_kind = kind
        if isinstance(pool, Mapping):
            description = dict(pool)
            items = self._placeholder(description)
        else:
            if pool is None:
                pool = self.stand_in()
            elif isinstance(pool, str | os.PathLike):
                pool = load_pool(pool, kind)
            if not isinstance(pool, Pool) or pool.kind != kind:
                raise ConfigError(
                    f"{type(self).__name__}: pool is the path of a pool of {kind}, got {pool!r}."
                )
            items = pool.items
            description = {
                "shape": list(items.shape),
                "scale": pool.scale,
                "same_size": pool.same_size,
                "source": str(pool.meta.get("source", "unknown source")),
            }
        self._description = description
        self._filled = not isinstance(pool, Mapping)
        self.register_buffer("pool_items", items.clone())
        self._pool_hash: str | None = None
        self.register_load_state_dict_post_hook(_note_new_items)  # type: ignore[no-untyped-call]

    def stand_in(self) -> Pool:
        """Make the pool that is used when none is given, from a formula."""
        raise NotImplementedError

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments; the pool's items are in the state dict."""
        return {**super().arguments, "pool": dict(self._description)}

    @property
    def pool_scale(self) -> int:
        """The scale that the pool was extracted for."""
        return int(self._description["scale"])

    @property
    def pool_same_size(self) -> bool:
        """Whether the pool was extracted for LR on the HR grid."""
        return bool(self._description["same_size"])

    @property
    def pool_hash(self) -> str:
        """16 hexadecimal digits that name the pool's items, equal to :attr:`Pool.hash`."""
        if self._pool_hash is None:
            self._pool_hash = items_hash(
                self.pool_kind, self.pool_items, self.pool_scale, self.pool_same_size
            )
        return self._pool_hash

    def describe(self) -> str:
        """Return one line that says what this is and where its pool comes from."""
        count, size = self.pool_items.shape[0], self.pool_items.shape[-1]
        noun = "kernels" if self.pool_kind == "kernels" else "noise patches"
        source = self._description["source"]
        return f"{super().describe()}, {count} {noun} of {size} x {size} ({source})"

    def _placeholder(self, description: dict[str, Any]) -> Tensor:
        name = type(self).__name__
        shape = description.get("shape")
        if set(description) != set(_DESCRIBED) or not isinstance(shape, list | tuple):
            raise ConfigError(
                f"{name}: pool is the path of a pool file, got a mapping with"
                f" {', '.join(map(str, description)) or 'nothing'}."
            )
        for key, wanted in _DESCRIBED.items():
            for value in shape if key == "shape" else [description[key]]:
                wrong = mismatch(value, wanted)
                if wrong:
                    raise ConfigError(f"{name}: '{key}' of its pool {wrong}.")
        description["shape"] = [int(n) for n in shape]
        kernels = self.pool_kind == "kernels"
        # An empty placeholder passes the very checks of a real pool before it is filled.
        rank, most = (3, 63) if kernels else (4, 1024)
        shape = description["shape"]
        sound = len(shape) == rank and shape[-1] == shape[-2] and 1 <= shape[-1] <= most
        sound = sound and shape[0] >= 1 and (kernels or shape[1] in (1, 3))
        if not sound or math.prod(shape) > _MOST_NUMBERS:
            raise DataError(f"{name}: {shape} is not the shape of a pool of {self.pool_kind}.")
        return torch.zeros(description["shape"], dtype=torch.float32 if kernels else torch.float16)

    def _refuse_unfilled(self) -> None:
        if not self._filled:
            raise DataError(
                f"{type(self).__name__}: the pool's items were never loaded: give a pool file, or"
                " the degradation's own file."
            )

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        # Half precision of the network around is no reason to round the pool.
        kept = self.pool_items
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.pool_items.dtype != kept.dtype:
            self.pool_items = kept.to(self.pool_items.device)
        return self


def _note_new_items(module: Any, incompatible: Any) -> None:
    module._pool_hash, module._filled = None, True
