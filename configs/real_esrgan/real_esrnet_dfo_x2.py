# Real-ESRNet x2plus: begins with what fits of Real-ESRGAN x4plus (all but the first convolution).
_base_ = "real_esrnet_dfo_x4.py"
scale = 2
__x4 = "work_dirs/real_esrgan_dfo_x4/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__x4, partial=True))
