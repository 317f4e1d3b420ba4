# HAT at x4 from the beginning; the authors train hat_df2k_x4_from_x2.
_base_ = "hat_df2k_x2.py"
scale = 4
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=256),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)
