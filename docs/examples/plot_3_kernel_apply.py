"""
A kernel for every pixel
========================

``kernel_apply`` filters each pixel with its own mixture of a few basis kernels. DML is built on
this operator, which works on any tensors.
"""

# %%
# The basis kernels are three Gaussians from sharp to wide. The weights change from left to right.

from pathlib import Path

import matplotlib.pyplot as plt
import torch

import realdeg
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.ops import kernel_apply
from realdeg.utils.image import read_image, to_tensor

pictures = Path(realdeg.__file__).parent / "datasets" / "sample_images" / "test"
hr = to_tensor(read_image(pictures / "coffee.png"))[None]
height, width = hr.shape[2:]

bases = torch.stack([gaussian_kernel(15, sigma) for sigma in (0.3, 1.5, 4.0)]).float()
place = torch.linspace(0, 1, width).expand(1, height, width)
weights = torch.stack(
    [(1 - 2 * place).clamp(0), 1 - (2 * place - 1).abs(), (2 * place - 1).clamp(0)], 1
)

# %%
# The weights sum to one at every pixel, so the brightness does not change.

blurred = kernel_apply(hr, weights, bases)

figure, axes = plt.subplots(1, 2, figsize=(9, 4.8), layout="constrained")
for axis, image, title in zip(axes, (hr, blurred), ("HR", "sharp left, wide right"), strict=True):
    axis.imshow(image[0].permute(1, 2, 0).clamp(0, 1))
    axis.set_title(title)
    axis.axis("off")
