# Real-ESRNet x4plus, the first of two stages: absolute error against the sharpened HR image, 2e-4
# for 1M iterations, beginning with ESRGAN's weights (ESRGAN_SRx4_DF2KOST in the options).
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfo_real_esrgan.py",
    "../_base_/degradations/real_esrgan.py",
    "../_base_/tasks/real_esrnet.py",
    "../_base_/schedules/adam_1m.py",
    "../_base_/ema_999.py",
]
scale = 4
__esrgan = "work_dirs/esrgan_dfo_x4/backbone.safetensors"
backbone = dict(type="RRDBNet", start_from=dict(checkpoint=__esrgan))
optim_wrapper = dict(optimizer=dict(lr=2e-4, betas=(0.9, 0.99)))
