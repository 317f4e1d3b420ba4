"""The scores under the crops of a picture, and images of luma in colour."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from realdeg.errors import DataError
from realdeg.evaluation import measure
from realdeg.evaluation.protocols import Protocol
from realdeg.utils.colour import rgb_to_ycbcr, ycbcr_to_rgb

# Top, left and side in pixels of the measured images.
Square = tuple[int, int, int]


@torch.no_grad()
def crop_scores(
    prediction: Tensor,
    target: Tensor,
    protocol: Protocol,
    crop: Square,
    *,
    scale: float,
    grey: bool = False,
) -> str:
    """Return PSNR and SSIM of a crop and the PSNR of the whole image, as two lines.

    The crop is cut with the border that the protocol shaves around it, so that all of the crop is
    measured unless it touches the border of the image.

    Args:
        prediction: Shape (3 or 1, H, W) in [0, 1].
        target: Of the same height and width.
        protocol: The protocol of the numbers.
        crop: Top, left and side in pixels.
        scale: For protocols whose border depends on it.
        grey: Whether the image's files have one channel.

    Returns:
        For instance ``"crop 31.42 dB, 0.912"`` and ``"image 33.10 dB"``. SSIM is left out where the
        crop is too small for it, and so is a line of which nothing could be measured.
    """
    border, (top, left, side) = protocol.border_for(scale), crop
    # The protocol may cut both at the lower right to a multiple of the scale.
    step = max(1, math.ceil(protocol.mod_crop_for(scale)))
    rows, columns = (
        slice(max(0, (start - border) // step * step), start + side + border)
        for start in (top, left)
    )
    pairs = {
        "crop": (prediction[:, rows, columns], target[:, rows, columns], ("psnr", "ssim")),
        "image": (prediction, target, ("psnr",)),
    }
    lines = []
    for part, (first, second, names) in pairs.items():
        found = []
        for name in names:
            try:
                scores = measure(first, second, protocol, [name], scale=scale, grey=grey)
            except DataError:
                continue
            values = scores[protocol.label(name)]
            mean = sum(values) / len(values)
            found.append(f"{mean:.2f} dB" if name == "psnr" else f"{mean:.3f}")
        if found:
            lines.append(f"{part} {', '.join(found)}")
    return "\n".join(lines)


def with_chroma(image: Tensor, coloured: Tensor) -> Tensor:
    """Return an image of luma with the chroma of another, for display.

    Args:
        image: Luma (1, H, W) or RGB (3, H, W), which is returned as it is.
        coloured: RGB of the same size; anything else leaves the image as it is.

    Returns:
        RGB in [0, 1], shape (3, H, W), unless the image was left as it is.
    """
    if image.shape[0] != 1 or coloured.shape != (3, *image.shape[1:]):
        return image
    ycbcr = torch.cat((image, rgb_to_ycbcr(coloured)[1:]))
    return ycbcr_to_rgb(ycbcr).clamp(0, 1)
