# EDSR baseline as in the paper: x3 begins with the weights of x2, the tail apart.
_base_ = "edsr_div2k_x2.py"
backbone = dict(
    start_from=dict(
        checkpoint="work_dirs/edsr_div2k_x2/backbone.safetensors",
        ignore=("tail.",),
    )
)
scale = 3
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=144),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    )
)
