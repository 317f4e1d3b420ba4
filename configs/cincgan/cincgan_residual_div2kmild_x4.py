# The CinCGAN of greatlog/UnpairedSR: networks without batch normalisation that are added to their
# input; absolute errors; 100K iterations of the inner cycle at 2e-4, halved after 50K, then 200K
# of both at 1e-4, halved every 50K, without identity losses and with half the outer adversarial
# loss; batches of 32, gradients clipped at 50. (Its discriminators see overlapping patches, and
# samples of the last 16 images that were made; here they are CinCGAN's and see the latest. Its
# networks have 8 blocks without activation at the end of a block, and one convolution at each
# end.)
_base_ = "cincgan_div2kmild_x4.py"
batch_size = 32
__form = dict(use_bn=False, residual=True, num_blocks=8)
backbone = dict(cleaner=__form)
degradation = __form
model = dict(
    reverse=__form,
    inner_cycle_loss=dict(criterion="l1"),
    inner_identity_loss=dict(criterion="l1"),
    identity_jointly=0.0,
    inner_first=100_000,
    gan_loss=dict(weight=1.0),
    cycle_loss=dict(criterion="l1"),
    loss=dict(weight=0.0),
    # mean dx^2 + mean dy^2: half of TVLoss(form="squared")
    inner_tv_loss=dict(weight=0.25),
    tv_loss=dict(weight=1.0),
)
__clip = dict(clip_grad=dict(max_norm=50))
optim_wrapper = dict(
    cleaner_step=__clip,
    reverse_step=__clip,
    lr_discriminator_step=__clip,
    enlarger_step=__clip,
    degradation_step=__clip,
    hr_discriminator_step=__clip,
)
__half = dict(type="MultiStepLR", by_epoch=False, gamma=0.5)
# 1e-4 after 50K, and until 150K.
__both = [dict(__half, milestones=[50_000, 150_000, 200_000, 250_000])]
__outer = [dict(__half, milestones=[150_000, 200_000, 250_000])]
param_scheduler = dict(
    cleaner_step=__both,
    reverse_step=__both,
    lr_discriminator_step=__both,
    enlarger_step=__outer,
    degradation_step=__outer,
    hr_discriminator_step=__outer,
)
train_cfg = dict(max_iters=300_000)
