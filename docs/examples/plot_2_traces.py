"""
Explain an LR image and reproduce it
====================================

A degradation works in two steps: ``sample`` makes every random decision, one trace per image, and
``replay`` carries the trace out. A trace is plain data, so an image can be explained and reproduced
years later.
"""

# %%
# BSRGAN combines blurs, noise, reductions and JPEG compression in random order. The trace is the
# list of steps that it drew.

import json
from pathlib import Path

import matplotlib.pyplot as plt

import realdeg
from realdeg.degradations import Trace
from realdeg.utils.image import read_image, to_tensor

pictures = Path(realdeg.__file__).parent / "datasets" / "sample_images" / "test"
hr = to_tensor(read_image(pictures / "coffee.png")[40:232, 40:232])[None]

bsrgan = realdeg.create_degradation({"type": "BSRGAN"}, scale=4)
(trace,) = bsrgan.sample(hr, seeds=[7])
print(trace.in_words())

# %%
# Written as JSON and read back, it gives the same image to the last bit.

text = trace.to_json()
lr = bsrgan.replay(hr, [trace])
again = bsrgan.replay(hr, [Trace.from_json(text)])
assert (lr == again).all()

# %%
# A trace can be edited. This one leaves out the JPEG compression.

record = json.loads(text)
steps = record["params"]["steps"]
print([step["op"] for step in steps])
record["params"]["steps"] = [step for step in steps if step["op"] != "jpeg"]
without_jpeg = bsrgan.replay(hr, [Trace.from_json(json.dumps(record))])

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for axis, image, title in zip(
    axes, (hr, lr, without_jpeg), ("HR", "as drawn", "without JPEG"), strict=True
):
    axis.imshow(image[0].permute(1, 2, 0).clamp(0, 1), interpolation="nearest")
    axis.set_title(title)
    axis.axis("off")
