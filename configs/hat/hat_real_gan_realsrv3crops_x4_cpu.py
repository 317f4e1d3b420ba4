# HAT for real photos, second stage, for two CPU cores.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsrv3crops_hr_cpu.py",
    "../_base_/degradations/real_esrgan.py",
    "../_base_/tasks/real_esrgan_cpu.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
patch_size = 64
__small = dict(groups=2, blocks=2, width=24, heads=2, window=4, head_features=24)
__stage1 = "work_dirs/hat_real_realsrv3crops_x4_cpu/backbone.safetensors"
backbone = dict(type="HAT", **__small, compress=3, squeeze=6, start_from=dict(checkpoint=__stage1))
