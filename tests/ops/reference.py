"""The operators written out in float64, for anyone to read."""

from __future__ import annotations

import numpy as np

_MODES = {"reflect": "reflect", "replicate": "edge", "zeros": "constant", "circular": "wrap"}


def windows(x: np.ndarray, k: int, stride: int, padding: str) -> np.ndarray:
    """Return every output pixel's window: (H, W) to (h, w, k, k)."""
    if padding == "valid":
        rows, columns, start = (x.shape[0] - k) // stride + 1, (x.shape[1] - k) // stride + 1, 0
        padded, shift = x, 0
    else:
        rows, columns = x.shape[0] // stride, x.shape[1] // stride
        start = (stride - k) // 2
        shift = 2 * k
        padded = _pad(x, shift, padding)
    out = np.empty((rows, columns, k, k))
    for i in range(rows):
        for j in range(columns):
            top, left = stride * i + start + shift, stride * j + start + shift
            out[i, j] = padded[top : top + k, left : left + k]
    return out


def _pad(x: np.ndarray, amount: int, padding: str) -> np.ndarray:
    if padding == "zeros":
        return np.pad(x, amount)
    return np.pad(x, amount, mode=_MODES[padding])


def kernel_apply(x, weights, bases, stride, padding):
    """y(p) = sum_m w_m(p) <phi_m, window of p>."""
    x, weights, bases = (np.asarray(t, np.float64) for t in (x, weights, bases))
    out = np.zeros((x.shape[0], x.shape[1], *weights.shape[2:]))
    for b in range(x.shape[0]):
        phi = bases if bases.ndim == 3 else bases[b]
        for c in range(x.shape[1]):
            view = windows(x[b, c], phi.shape[-1], stride, padding)
            out[b, c] = np.einsum("mhw,mij,hwij->hw", weights[b], phi, view)
    return out


def pixel_kernel_apply(x, kernels, stride, padding):
    """y(p) = <kernel of p, window of p>."""
    x, kernels = np.asarray(x, np.float64), np.asarray(kernels, np.float64)
    k = round(kernels.shape[1] ** 0.5)
    out = np.zeros((x.shape[0], x.shape[1], *kernels.shape[2:]))
    for b in range(x.shape[0]):
        field = kernels[b].reshape(k, k, *kernels.shape[2:])
        for c in range(x.shape[1]):
            out[b, c] = np.einsum("ijhw,hwij->hw", field, windows(x[b, c], k, stride, padding))
    return out
