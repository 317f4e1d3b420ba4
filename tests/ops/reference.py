"""The operators written out in float64, for anyone to read."""

from __future__ import annotations

import numpy as np

_MODES = {"reflect": "reflect", "replicate": "edge", "zeros": "constant", "circular": "wrap"}


def windows(x: np.ndarray, k: int | tuple[int, int], stride: int, padding: str) -> np.ndarray:
    """Return every output pixel's window: (H, W) to (h, w, kh, kw)."""
    sides = k if isinstance(k, tuple) else (k, k)
    if padding == "valid":
        rows, columns = ((n - side) // stride + 1 for n, side in zip(x.shape, sides, strict=True))
        starts, padded, shift = (0, 0), x, 0
    else:
        rows, columns = x.shape[0] // stride, x.shape[1] // stride
        starts = tuple((stride - side) // 2 for side in sides)
        shift = 2 * max(sides)
        padded = _pad(x, shift, padding)
    out = np.empty((rows, columns, *sides))
    for i in range(rows):
        for j in range(columns):
            top, left = stride * i + starts[0] + shift, stride * j + starts[1] + shift
            out[i, j] = padded[top : top + sides[0], left : left + sides[1]]
    return out


def _pad(x: np.ndarray, amount: int, padding: str) -> np.ndarray:
    if padding == "zeros":
        return np.pad(x, amount)
    return np.pad(x, amount, mode=_MODES[padding])


def kernel_apply(x, weights, bases, stride, padding, placement="after"):
    """y(p) = sum_m w_m(p) <phi_m, window of p>, or weights before the windows are cut."""
    x, weights, bases = (np.asarray(t, np.float64) for t in (x, weights, bases))
    results = []
    for b in range(x.shape[0]):
        for c in range(x.shape[1]):
            field = weights[b] if weights.ndim == 4 else weights[b, c]
            phi = bases
            if bases.ndim > 3:
                phi = bases[b % bases.shape[0]]
            if bases.ndim == 5:
                phi = phi[c]
            size = phi.shape[1:]
            if placement == "after":
                view = windows(x[b, c], size, stride, padding)
                results.append(np.einsum("mhw,mij,hwij->hw", field, phi, view))
            else:
                views = [windows(w * x[b, c], size, stride, padding) for w in field]
                results.append(np.einsum("mij,mhwij->hw", phi, np.stack(views)))
    shape = results[0].shape if results else weights.shape[-2:]
    return np.array(results).reshape(*x.shape[:2], *shape)


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
