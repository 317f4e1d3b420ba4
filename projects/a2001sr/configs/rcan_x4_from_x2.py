# x4 begins with the weights of x2, the upsampler apart.
_base_ = "rcan_x4.py"
__x2 = "work_dirs/rcan_x2/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__x2, ignore=("tail.",)))
