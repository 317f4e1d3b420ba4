# Real-ESRGAN x4plus, the second of two stages: a discriminator of weight 0.1 and five layers of
# VGG19, 1e-4 for 400K iterations.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfo_real_esrgan.py",
    "../_base_/degradations/real_esrgan.py",
    "../_base_/tasks/real_esrgan.py",
    "../_base_/schedules/adam_gan_400k.py",
    "../_base_/ema_999.py",
]
scale = 4
__stage1 = "work_dirs/real_esrnet_dfo_x4/backbone.safetensors"
backbone = dict(type="RRDBNet", start_from=dict(checkpoint=__stage1))
