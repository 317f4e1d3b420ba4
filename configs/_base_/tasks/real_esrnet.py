# Real-ESRNet: absolute error against the sharpened HR image.
_base_ = "benchmark.py"
model = dict(
    loss=dict(type="WeightedLoss", terms=[dict(type="L1Loss", target="sharpened")]),
)
