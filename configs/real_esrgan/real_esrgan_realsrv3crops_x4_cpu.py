# The second stage for two CPU cores.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsrv3crops_hr_cpu.py",
    "../_base_/degradations/real_esrgan.py",
    "../_base_/tasks/real_esrgan_cpu.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
__stage1 = "work_dirs/real_esrnet_realsrv3crops_x4_cpu/backbone.safetensors"
backbone = dict(
    type="RRDBNet",
    num_blocks=2,
    num_features=24,
    growth=12,
    start_from=dict(checkpoint=__stage1),
)
