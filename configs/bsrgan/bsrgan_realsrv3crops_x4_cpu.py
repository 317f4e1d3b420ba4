# The second stage for two CPU cores. The adversarial loss has the paper's weight of 0.1 (0.2 here,
# see bsrgan_dfwf_x4.py): without VGG19 nothing holds a weight of 1 back.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsrv3crops_hr_cpu.py",
    "../_base_/degradations/bsrgan.py",
    "../_base_/tasks/bsrgan_cpu.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
__stage1 = "work_dirs/bsrnet_realsrv3crops_x4_cpu/backbone.safetensors"
backbone = dict(
    type="RRDBNet",
    num_blocks=2,
    num_features=24,
    growth=12,
    start_from=dict(checkpoint=__stage1),
)
model = dict(gan_loss=dict(type="LSGANLoss", weight=0.2))
