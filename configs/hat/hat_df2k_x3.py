# HAT at x3, which the authors train from the beginning.
_base_ = "hat_df2k_x2.py"
scale = 3
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=192),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)
