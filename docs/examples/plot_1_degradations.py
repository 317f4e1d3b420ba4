"""
One photo, six cameras
======================

A degradation turns an HR image into the LR image that a camera would have taken. Every degradation
is registered under a name and built the same way.
"""

# %%
# The image is included in the package. Images are NumPy arrays, as read from the file.

from pathlib import Path

import matplotlib.pyplot as plt

import realdeg
from realdeg.utils.image import read_image

pictures = Path(realdeg.__file__).parent / "datasets" / "sample_images" / "test"
hr = read_image(pictures / "coffee.png")[40:232, 40:232]

# %%
# Most networks were trained on bicubic reduction. The other degradations blur, add noise and
# compress as real devices do. Random values are drawn from the seed.

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
# Every result comes with its trace, the record of what was drawn. ``realdeg list degradations``
# prints all names.

print(trace.in_words())
