# RDN at x2: patches of 32 LR pixels.
_base_ = "rdn_div2k_x4.py"
scale = 2
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=64),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)
