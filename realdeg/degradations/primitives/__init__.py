"""Batched tensor functions that degradations are made of; no registry here."""

from realdeg.degradations.primitives.kernels import gaussian_kernel
from realdeg.degradations.primitives.resize import imresize

__all__ = ["gaussian_kernel", "imresize"]
