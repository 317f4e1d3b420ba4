# RDN as in the paper: x3 begins with the weights of x2, the upsampler apart.
_base_ = "rdn_div2k_x2.py"
backbone = dict(
    start_from=dict(
        checkpoint="work_dirs/rdn_div2k_x2/backbone.safetensors",
        ignore=("UPNet.",),
    )
)
scale = 3
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=96),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)
