"""
One photo, six cameras
======================

A degradation turns an HR image into the LR image that a camera would have taken. Every one of them
stands in a registry under a name and is built the same way.
"""

# %%
# The picture comes with the package. Images are NumPy arrays, as they come from the file.

from pathlib import Path

import matplotlib.pyplot as plt

import realdeg
from realdeg.utils.image import read_image

pictures = Path(realdeg.__file__).parent / "datasets" / "sample_images" / "test"
hr = read_image(pictures / "coffee.png")[40:232, 40:232]

# %%
# Bicubic reduction is what most networks were trained on. The others blur, add noise and compress
# as real devices do. What is random is drawn from the seed.

settings = {
    "bicubic": {"type": "Bicubic"},
    "BD": {"type": "BlurDown", "kind": "BD"},
    "SRMD": {"type": "SRMD"},
    "BSRGAN": {"type": "BSRGAN"},
    "Real-ESRGAN": {"type": "RealESRGAN"},
    "the sample's camera": {"type": "SampleCamera"},
}
figure, axes = plt.subplots(2, 4, figsize=(11, 6), layout="constrained")
axes[0, 0].imshow(hr)
axes[0, 0].set_title("HR")
for axis, (name, setting) in zip(axes.flat[1:], settings.items(), strict=False):
    lr, trace = realdeg.Degrader(setting, scale=4).degrade(hr, seed=3)
    axis.imshow(lr, interpolation="nearest")
    axis.set_title(name)
for axis in axes.flat:
    axis.axis("off")

# %%
# Every result comes with its trace, which says what was drawn. ``realdeg list degradations`` prints
# all names.

print(trace.in_words())
