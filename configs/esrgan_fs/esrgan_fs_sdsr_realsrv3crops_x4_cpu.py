# SDSR for two CPU cores, without VGG19, whose weights are no part of this project, so that the run
# goes everywhere: absolute error weighs 1 in its place. LR is made by dsgan_realsrv3crops_x4_cpu,
# the network begins with esrgan_t91_x4_cpu, and real pairs validate it.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsrv3crops_hr_cpu.py",
    "../_base_/learned/dsgan_realsrv3crops_cpu.py",
    "../_base_/tasks/esrgan_fs.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
patch_size = 64
__esrgan = "work_dirs/esrgan_t91_x4_cpu/backbone.safetensors"
backbone = dict(
    type="RRDBNet",
    num_blocks=2,
    num_features=24,
    growth=12,
    start_from=dict(checkpoint=__esrgan),
)
model = dict(
    discriminator=dict(discriminator=dict(size=64, width=16)),
    loss=dict(
        terms=[
            dict(
                type="FilteredLoss", loss=dict(type="L1Loss"), filter="average", size=9, band="low"
            ),
        ]
    ),
)
# As in esrgan_t91_x4_cpu.py.
optim_wrapper = dict(discriminator_step=dict(optimizer=dict(lr=5e-5)))
