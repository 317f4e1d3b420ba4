# RNAN at x2.
_base_ = "rnan_div2k_x4.py"
scale = 2
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=96),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)
