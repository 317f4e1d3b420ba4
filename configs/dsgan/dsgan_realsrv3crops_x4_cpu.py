_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_realsrv3crops_cpu.py",
    "../_base_/degradations/dsgan_cpu.py",
    "../_base_/tasks/unpaired_degradation.py",
    "../_base_/schedules/adam_gan_cpu.py",
]
scale = 4
default_hooks = dict(checkpoint=dict(interval=500))
# A small discriminator for a small generator. The perceptual term is left out: AlexNet's weights
# are no part of this project, and the run shall go everywhere.
model = dict(discriminator=dict(width=16), perceptual_loss=dict(weight=0.0))
