# The degradation alone, small, for two CPU cores: HR of one scene and LR of another of the RealSR
# V3 crops, validated on pairs. Only a discriminator teaches it, as in the authors' first stage,
# but DSGAN's: against the authors', kernels drift in so short a training.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_realsrv3crops_cpu.py",
    "../_base_/degradations/pdm_cpu.py",
    "../_base_/tasks/unpaired_degradation.py",
    "../_base_/schedules/adam_gan_cpu.py",
]
scale = 4
default_hooks = dict(checkpoint=dict(interval=500))
model = dict(
    discriminator=dict(type="DSGANDiscriminator", width=16),
    loss=dict(type="L1Loss", weight=0.0),
    low_pass_size=1,
    gan_loss=dict(_delete_=True, type="LSGANLoss", weight=2.0),
    perceptual_loss=dict(weight=0.0),
)
