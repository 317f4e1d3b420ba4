# Real-ESRGAN x2plus.
_base_ = "real_esrgan_dfo_x4.py"
scale = 2
__stage1 = "work_dirs/real_esrnet_dfo_x2/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__stage1))
