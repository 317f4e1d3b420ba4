# HAT-L, second of two stages. The authors train HAT-L in two stages only.
_base_ = "hat_df2k_x4_from_imagenet.py"
__first = "work_dirs/hat_l_imagenet_x4/backbone.safetensors"
backbone = dict(preset="hat_l", start_from=dict(checkpoint=__first))
