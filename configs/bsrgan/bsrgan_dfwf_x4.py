# BSRGAN, the second of two stages, as in KAIR (options/train_bsrgan_x4_gan.json, commit fc1732f): a
# U-Net discriminator and least squares of weight 1, 5e-5 halved after 800K and 1.6M iterations.
# KAIR does not halve the squares, so its 1 is a weight of 2 here. The paper has a PatchGAN of
# weight 0.1: model.discriminator.type=PatchGANDiscriminator model.gan_loss.weight=0.2. The file
# names no end: 2M is ours.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/dfwf.py",
    "../_base_/degradations/bsrgan.py",
    "../_base_/tasks/bsrgan.py",
    "../_base_/schedules/adam_gan_400k.py",
    "../_base_/ema_999.py",
]
scale = 4
__stage1 = "work_dirs/bsrnet_dfwf_x4/backbone.safetensors"
backbone = dict(type="RRDBNet", start_from=dict(checkpoint=__stage1))
model = dict(gan_loss=dict(type="LSGANLoss", weight=2.0))
__adam = dict(optimizer=dict(lr=5e-5, betas=(0.9, 0.999)))
optim_wrapper = dict(backbone_step=__adam, discriminator_step=__adam)
param_scheduler = dict(
    type="MultiStepLR", by_epoch=False, milestones=[800_000, 1_600_000], gamma=0.5
)
train_cfg = dict(max_iters=2_000_000)
