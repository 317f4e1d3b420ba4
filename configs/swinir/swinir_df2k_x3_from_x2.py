# SwinIR as in the paper: x3 begins with the weights of x2, the upsampler apart, at half the rate
# and for half as long.
_base_ = "swinir_df2k_x2.py"
backbone = dict(
    start_from=dict(
        checkpoint="work_dirs/swinir_df2k_x2/backbone.safetensors",
        ignore=("upsample.",),
    )
)
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
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = dict(milestones=[125_000, 200_000, 225_000, 237_500])
train_cfg = dict(max_iters=250_000)
