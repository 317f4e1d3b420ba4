# HAT-S: x4 begins with what fits of x2's weights. x3 is trained from the beginning, like HAT.
_base_ = "hat_df2k_x4_from_x2.py"
__x2 = "work_dirs/hat_s_df2k_x2/backbone.safetensors"
backbone = dict(preset="hat_s", start_from=dict(checkpoint=__x2))
