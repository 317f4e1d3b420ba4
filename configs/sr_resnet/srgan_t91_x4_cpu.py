# The second stage of sr_resnet_t91_x4_cpu.py: its network, fine-tuned against SRGAN's
# discriminator, narrow and for patches of 48. The pixels' error stands in for the paper's content
# loss, which needs VGG19.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/adversarial_benchmark.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
backbone = dict(
    type="SRResNet",
    num_blocks=4,
    num_features=24,
    start_from=dict(checkpoint="work_dirs/sr_resnet_t91_x4_cpu/backbone.safetensors"),
)
model = dict(
    loss=dict(terms=[dict(type="MSELoss", name="pixel")]),
    discriminator=dict(type="SRGANDiscriminator", size=48, width=16),
    gan_loss=dict(type="CrossEntropyGANLoss", weight=1e-3),
)
