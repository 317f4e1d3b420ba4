# SwinIR for real photos, second stage, for two CPU cores.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsrv3crops_hr_cpu.py",
    "../_base_/degradations/bsrgan.py",
    "../_base_/tasks/bsrgan_cpu.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
__small = dict(groups=2, blocks=2, width=24, heads=2, window=4, head_features=24)
__stage1 = "work_dirs/swinir_real_realsrv3crops_x4_cpu/backbone.safetensors"
backbone = dict(
    type="SwinIR", **__small, reconstruction="nearest+conv", start_from=dict(checkpoint=__stage1)
)
