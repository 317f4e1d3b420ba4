# ESRGAN, second stage, for two CPU cores. The discriminator learns at a quarter of the network's
# rate: at the same one it wins at once, and PSNR on Set5 falls from 29.0 to 25.3 dB in 300
# iterations.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/esrgan_cpu.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
patch_size = 64
__stage1 = "work_dirs/rrdbnet_t91_x4_cpu/backbone.safetensors"
backbone = dict(
    type="RRDBNet",
    num_blocks=2,
    num_features=24,
    growth=12,
    start_from=dict(checkpoint=__stage1),
)
optim_wrapper = dict(discriminator_step=dict(optimizer=dict(lr=5e-5)))
