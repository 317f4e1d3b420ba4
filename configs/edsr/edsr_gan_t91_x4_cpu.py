# EDSR's adversarial training without VGG19, whose weights are no part of this project, so that the
# run goes everywhere: absolute error of weight 1 takes its place, and the adversarial loss is
# lighter.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/adversarial_benchmark.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
__stage1 = "work_dirs/edsr_t91_x4_cpu/backbone.safetensors"
backbone = dict(type="EDSR", num_blocks=4, num_features=24, start_from=dict(checkpoint=__stage1))
model = dict(
    discriminator=dict(type="SRGANDiscriminator", size=48, width=16, form="edsr"),
    loss=dict(type="WeightedLoss", terms=[dict(type="L1Loss")]),
    gan_loss=dict(type="CrossEntropyGANLoss", weight=5e-3),
)
