# MSRGAN for two CPU cores. The rate of the discriminator is that of esrgan_t91_x4_cpu.py.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/esrgan_cpu.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
patch_size = 64
__stage1 = "work_dirs/msr_resnet_t91_x4_cpu/backbone.safetensors"
backbone = dict(
    type="MSRResNet", num_blocks=4, num_features=24, start_from=dict(checkpoint=__stage1)
)
model = dict(gan_loss=dict(type="CrossEntropyGANLoss", weight=5e-3))
optim_wrapper = dict(discriminator_step=dict(optimizer=dict(lr=5e-5)))
