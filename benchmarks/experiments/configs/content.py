# ESRGAN's terms without its discriminator: what the content loss does by itself.
_base_ = "control.py"
model = dict(
    loss=dict(
        type="WeightedLoss",
        terms=[
            dict(type="L1Loss", weight=1e-2),
            dict(type="ContentLoss", trunk="vgg16_shift_tolerant", layers={"conv5_3": 0.05}),
        ],
    ),
)
