# City100 as two domains. The settings are those of the RealSR V3 crops, and so are its reasons.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_city100.py",
    "../_base_/degradations/dsgan_cpu.py",
    "../_base_/tasks/unpaired_degradation.py",
    "../_base_/schedules/adam_gan_cpu.py",
]
scale = 4
default_hooks = dict(checkpoint=dict(interval=500))
model = dict(discriminator=dict(width=16), perceptual_loss=dict(weight=0.0))
