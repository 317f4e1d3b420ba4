# SRGAN (VGG54): SRResNet, then squared error of VGG19's conv5_4 after its ReLU, divided by 12.75,
# and an adversarial loss of 0.001; 100K iterations at 1e-4 and 100K at 1e-5. The paper has 350,000
# photos of ImageNet.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/imagenet50k.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/adversarial_benchmark.py",
    "../_base_/schedules/adam_gan_400k.py",
]
scale = 4
patch_size = 96
batch_size = 16
__stage1 = "work_dirs/sr_resnet_imagenet50k_x4/backbone.safetensors"
backbone = dict(type="SRResNet", start_from=dict(checkpoint=__stage1))
__content = dict(type="ContentLoss", before_relu=False, criterion="mse", divisor=12.75)
model = dict(
    discriminator=dict(type="SRGANDiscriminator", size=96),
    loss=dict(type="WeightedLoss", terms=[dict(__content, layers={"conv5_4": 1.0})]),
    gan_loss=dict(type="CrossEntropyGANLoss", weight=1e-3),
)
__adam = dict(optimizer=dict(betas=(0.9, 0.999)))
optim_wrapper = dict(backbone_step=__adam, discriminator_step=__adam)
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[100_000], gamma=0.1)
train_cfg = dict(max_iters=200_000)
