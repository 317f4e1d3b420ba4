"""A learned camera as a physics of deepinv, for its reconstruction methods.

deepinv (https://deepinv.github.io, the extra ``realdeg[deepinv]``) reconstructs images by plug and
play, unrolled networks and diffusion, given a linear operator and its adjoint. DML is linear in the
image once its weights are fixed: they are predicted from one HR image, which is the estimate at
hand, and updated by building the physics again.
"""

from __future__ import annotations

import functools
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from realdeg.errors import ConfigError, DataError
from realdeg.ops import kernel_apply, kernel_apply_adjoint


@runtime_checkable
class MixesKernels(Protocol):
    """A degradation that filters every pixel with a mixture of bases, as DML does."""

    stride: int
    padding: str
    needs_rgb: bool

    def conditions(self, hr: Tensor, places: Any) -> Tensor | None:
        """Return what the network is told beside the image."""

    def mixture(self, hr: Tensor, conditions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the weights and the bases that ``kernel_apply`` takes."""


def deepinv_physics(
    degradation: MixesKernels, hr: Tensor, place: Any = None, **options: Any
) -> Any:
    """Return the degradation of an HR image as a ``deepinv.physics.LinearPhysics``.

    Args:
        degradation: DML, trained or not; one with a random code takes the code 0, the middle one.
        hr: The image whose weights are used, shape (B, C, H, W), in [0, 1]. The physics takes
            images of this size, of this batch or, for B = 1, of any.
        place: Where the images lie in their photo, for a DML with ``position``.
        **options: Passed on to ``LinearPhysics``, such as ``noise_model``.

    Returns:
        The physics: ``A`` filters and samples, ``A_adjoint`` is its exact transpose. Its buffers
        ``weights`` and ``bases`` are those of ``kernel_apply`` and may be replaced by
        ``update_parameters``.

    Raises:
        ConfigError: If deepinv cannot be imported, or the degradation has no kernels to mix.
        DataError: If the degradation needs RGB, or a place that is not given.

    Example:
        >>> physics = deepinv_physics(camera, hr)  # doctest: +SKIP
        >>> estimate = physics.A_dagger(physics(hr))  # doctest: +SKIP
    """
    if not isinstance(degradation, MixesKernels):
        raise ConfigError(
            f"{type(degradation).__name__} has no weights and bases that kernel_apply takes: a"
            " physics of deepinv is made of DML or of a class with its 'mixture'"
        )
    if degradation.needs_rgb and hr.shape[1] != 3:
        raise DataError(
            f"{type(degradation).__name__} degrades R, G and B differently: give an RGB image, not"
            f" {hr.shape[1]} channels"
        )
    kind = _physics_class()
    with torch.no_grad():
        conditions = degradation.conditions(hr, [place] * hr.shape[0])
        weights, bases = degradation.mixture(hr, conditions)
    size = (hr.shape[2], hr.shape[3])
    return kind(
        weights.detach(), bases.detach(), degradation.stride, degradation.padding, size, **options
    )


def import_deepinv() -> Any:
    """Import deepinv, or raise ConfigError that names what to install."""
    try:
        import deepinv
    except (ImportError, RuntimeError, OSError) as error:
        # A torchvision built for another torch raises RuntimeError or OSError.
        reason = str(error).strip().splitlines()[:1]
        raise ConfigError(
            f"deepinv cannot be imported ({reason[0] if reason else type(error).__name__}):"
            " pip install 'realdeg[deepinv]'. It needs torchvision, whose version has to match"
            f" torch ({torch.__version__} here)."
        ) from error
    return deepinv


@functools.cache
def _physics_class() -> Any:
    base: Any = import_deepinv().physics.LinearPhysics

    class KernelMixture(base):
        """``kernel_apply`` and its adjoint, with deepinv's names."""

        def __init__(
            self,
            weights: Tensor,
            bases: Tensor,
            stride: int,
            padding: str,
            size: tuple[int, int],
            placement: str = "after",
            **options: Any,
        ) -> None:
            options.setdefault("device", weights.device)
            super().__init__(**options)
            self.register_buffer("weights", weights)
            self.register_buffer("bases", bases)
            self.stride, self.padding, self.size = stride, padding, size
            self.placement = placement

        def A(self, x: Tensor, **parameters: Any) -> Tensor:  # noqa: N802
            """Filter and sample, shape (B, C, H, W) to (B, C, H / stride, W / stride)."""
            self.update_parameters(**parameters)
            weights = self._of_batch(x)
            return kernel_apply(x, weights, self.bases, self.stride, self.padding, self.placement)

        def A_adjoint(self, y: Tensor, **parameters: Any) -> Tensor:  # noqa: N802
            """Apply the transpose, shape (B, C, H / stride, W / stride) to (B, C, H, W)."""
            self.update_parameters(**parameters)
            return kernel_apply_adjoint(
                y, self._of_batch(y), self.bases, self.stride, self.padding, self.size,
                self.placement,
            )  # fmt: skip

        def _of_batch(self, image: Tensor) -> Tensor:
            if self.weights.shape[0] != 1:
                return self.weights
            return self.weights.expand(image.shape[0], *self.weights.shape[1:])

    return KernelMixture
