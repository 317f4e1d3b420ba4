"""The base of degradations that draw from a pool, which they hold as a buffer."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from realdeg.degradations.base import Degradation
from realdeg.degradations.pool import Pool, items_hash, load_pool
from realdeg.errors import ConfigError, DataError
from realdeg.utils.annotations import mismatch

PoolSource = str | os.PathLike[str] | Mapping[str, Any] | Pool | None
# A file requests memory before its items are read: enough for 20000 noise patches of 64 x 64.
_MOST_NUMBERS = 1 << 28
# What the file of a pooled degradation records of its pool.
_DESCRIPTION = {"shape": Sequence[int], "scale": int, "same_size": bool, "source": str}


Self = TypeVar("Self", bound="PooledDegradation")


class PooledDegradation(Degradation):
    """A degradation that holds a :class:`Pool`; its file needs no separate pool file.

    Args:
        scale: See :class:`Degradation`.
        same_size: See :class:`Degradation`.
        pool: The path of a pool file, a pool, None for the synthetic pool, or the description in
            :attr:`arguments` of a pool whose items come from a state dict.
        kind: ``"kernels"`` or ``"noise"``.

    Raises:
        ConfigError: If ``pool`` is none of these.
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
        """Return the synthetic pool that is used when none is given."""
        raise NotImplementedError

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments; the pool's items are in the state dict."""
        return {**super().arguments, "pool": dict(self._description)}

    def rebuild(self: Self, arguments: Mapping[str, Any]) -> Self:
        """Build an object of this class that shares the pool's items."""
        whole = self._description
        made = type(self)(**{**arguments, "pool": {**whole, "shape": [1, *whole["shape"][1:]]}})
        made.pool_items, made._description = self.pool_items, whole
        made._filled = self._filled
        made._pool_hash = self.pool_hash if self._filled else None
        return made

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
        """16 hexadecimal digits that identify the pool's items, equal to :attr:`Pool.hash`."""
        if self._pool_hash is None:
            self._pool_hash = items_hash(
                self.pool_kind, self.pool_items, self.pool_scale, self.pool_same_size
            )
        return self._pool_hash

    def describe(self) -> str:
        """Return a one-line description with the pool's source."""
        count, size = self.pool_items.shape[0], self.pool_items.shape[-1]
        noun = "kernels" if self.pool_kind == "kernels" else "noise patches"
        source = self._description["source"]
        return f"{super().describe()}, {count} {noun} of {size} x {size} ({source})"

    def _placeholder(self, description: dict[str, Any]) -> Tensor:
        name = type(self).__name__
        if set(description) != set(_DESCRIPTION):
            raise ConfigError(
                f"{name}: pool is the path of a pool file, got a mapping with"
                f" {', '.join(map(str, description)) or 'nothing'}."
            )
        for key, annotation in _DESCRIPTION.items():
            wrong = mismatch(description[key], annotation)
            if wrong:
                raise ConfigError(f"{name}: '{key}' of its pool {wrong}.")
        kernels = self.pool_kind == "kernels"
        # The placeholder meets the limits of a real pool.
        rank, most = (3, 63) if kernels else (4, 1024)
        shape = description["shape"] = [int(n) for n in description["shape"]]
        sound = len(shape) == rank and shape[-1] == shape[-2] and 1 <= shape[-1] <= most
        sound = sound and shape[0] >= 1 and (kernels or shape[1] in (1, 3))
        if not sound or math.prod(shape) > _MOST_NUMBERS:
            raise DataError(f"{name}: {shape} is not the shape of a pool of {self.pool_kind}.")
        return torch.zeros(shape, dtype=torch.float32 if kernels else torch.float16)

    def _refuse_unfilled(self) -> None:
        if not self._filled:
            raise DataError(
                f"{type(self).__name__}: the pool's items were never loaded: give a pool file, or"
                " the degradation's own file."
            )

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        # Half precision of an enclosing network must not round the pool.
        kept = self.pool_items
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.pool_items.dtype != kept.dtype:
            self.pool_items = kept.to(self.pool_items.device)
        return self


def _note_new_items(module: Any, incompatible: Any) -> None:
    module._pool_hash, module._filled = None, True
