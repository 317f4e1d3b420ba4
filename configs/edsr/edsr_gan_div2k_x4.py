# EDSR-PyTorch's adversarial training (src/demo.sh: 5*VGG54+0.15*GAN, template GAN): squared error
# of VGG19's conv5_4 before its ReLU, patches of 96, 5e-5 halved after 150 of 200 epochs of 1000
# iterations.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/adversarial_benchmark.py",
    "../_base_/schedules/adam_gan_400k.py",
]
scale = 4
patch_size = 96
__stage1 = "work_dirs/edsr_div2k_x4/backbone.safetensors"
backbone = dict(type="EDSR", start_from=dict(checkpoint=__stage1))
__content = dict(type="ContentLoss", layers={"conv5_4": 1.0}, before_relu=True, criterion="mse")
model = dict(
    discriminator=dict(type="SRGANDiscriminator", size=96, form="edsr"),
    loss=dict(type="WeightedLoss", terms=[dict(__content, weight=5.0)]),
    gan_loss=dict(type="CrossEntropyGANLoss", weight=0.15),
)
__adam = dict(optimizer=dict(lr=5e-5, betas=(0.9, 0.999)))
optim_wrapper = dict(backbone_step=__adam, discriminator_step=__adam)
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[150_000], gamma=0.5)
train_cfg = dict(max_iters=200_000)
