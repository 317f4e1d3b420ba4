# EDSR as in the paper: x4 begins with the weights of x2, the tail apart.
_base_ = "edsr_full_div2k_x4.py"
__x2 = "work_dirs/edsr_full_div2k_x2/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__x2, ignore=("tail.",)))
