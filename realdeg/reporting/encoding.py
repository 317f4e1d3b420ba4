"""Images and kernels as text inside a page, within a size limit."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realdeg.degradations.primitives.kernels import centre_rest

_QUALITY = 90
_LARGEST_FIGURE = 1 << 25


@dataclass
class Budget:
    """Counts the bytes of pictures.

    Attributes:
        limit: The most bytes of all pictures in the page.
        used: What they take so far.
        lossy: How many were compressed with loss to stay below the limit.
        left_out: How many did not fit.
    """

    limit: int
    used: int = 0
    lossy: int = 0
    left_out: int = 0
    _known: dict[tuple[object, bytes], str] = field(default_factory=dict, repr=False)

    def picture(self, image: NDArray[np.uint8]) -> str | None:
        """Return an image as a ``data:`` address, or None if it does not fit.

        Lossless WebP, until three quarters of the limit are used; then WebP of quality 90.
        """
        key = (image.shape, image.tobytes())
        if key not in self._known:
            found = _webp(image, lossless=True)
            if self.used + len(found) > 0.75 * self.limit:
                found = _webp(image, lossless=False)
                self.lossy += 1
            if not self._take(len(found)):
                self.lossy -= 1
                return None
            self._known[key] = f"data:image/webp;base64,{found}"
        return self._known[key]

    def file(self, path: Path) -> str | None:
        """Return a PNG file as a ``data:`` address, or None if it does not fit or is none."""
        raw = path.read_bytes() if path.stat().st_size <= _LARGEST_FIGURE else b""
        found = base64.b64encode(raw).decode("ascii")
        if not raw.startswith(b"\x89PNG\r\n\x1a\n") or not self._take(len(found)):
            return None
        return f"data:image/png;base64,{found}"

    def _take(self, count: int) -> bool:
        if self.used + count > self.limit:
            self.left_out += 1
            return False
        self.used += count
        return True


def _webp(image: NDArray[np.uint8], *, lossless: bool) -> str:
    from PIL import Image

    out = io.BytesIO()
    # exact keeps the colour of each pixel; method 4 is a compromise of time and size.
    Image.fromarray(image).save(
        out, "WEBP", lossless=lossless, quality=_QUALITY, method=4, exact=True
    )
    return base64.b64encode(out.getvalue()).decode("ascii")


def packed(kernels: NDArray[np.float64], stride: int) -> dict[str, object]:
    """Return kernels (N, k, k) as data for the page.

    Values are rounded to 1/127 of each kernel's peak, which a picture does not show.

    Args:
        kernels: The kernels.
        stride: HR pixels per LR pixel on the grid.

    Returns:
        ``size`` (k), ``rest`` (of :func:`centre_rest`), ``peaks`` (N absolute maxima) and
        ``values`` (N * k * k signed bytes in base64).
    """
    peaks = np.abs(kernels).max(axis=(1, 2))
    safe = np.where(peaks > 0, peaks, 1.0)
    levels = np.rint(kernels / safe[:, None, None] * 127).astype(np.int8)
    return {
        "size": int(kernels.shape[-1]),
        "rest": centre_rest(int(kernels.shape[-1]), stride),
        "peaks": [float(f"{peak:.6g}") for peak in peaks],
        "values": base64.b64encode(levels.tobytes()).decode("ascii"),
    }
