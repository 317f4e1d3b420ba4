# Both GANs, small, for two CPU cores: HR of one scene and LR of another of the RealSR V3 crops,
# validated on pairs. The degradation learns alone for 100 iterations. The hinge losses are lighter
# than in the paper: 600 iterations are too few for them to do good.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_realsrv3crops_cpu.py",
    "../_base_/degradations/high_to_low_cpu.py",
    "../_base_/tasks/unpaired_super_resolution.py",
    "../_base_/schedules/adam_unpaired_sr_cpu.py",
]
scale = 4
default_hooks = dict(checkpoint=dict(interval=200))
backbone = dict(type="LowToHigh", width=32, num_blocks=3, later_blocks=1)
model = dict(
    degradation_first=100,
    lr_discriminator=dict(width=16),
    lr_gan_loss=dict(weight=0.005),
    sr_discriminator=dict(width=16),
    sr_gan_loss=dict(weight=0.001),
)
