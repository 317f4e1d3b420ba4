# SwinIR, classical, x4 from the beginning; the authors report the same of it as of
# swinir_df2k_x4_from_x2, which takes half the time. Patches of 64 LR pixels (192 at x3).
_base_ = "swinir_df2k_x2.py"
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
