# RCAN as in the paper: x3 begins with the weights of x2, the tail apart.
_base_ = "rcan_div2k_x2.py"
backbone = dict(
    start_from=dict(
        checkpoint="work_dirs/rcan_div2k_x2/backbone.safetensors",
        ignore=("tail.",),
    )
)
scale = 3
patch_size = 144
