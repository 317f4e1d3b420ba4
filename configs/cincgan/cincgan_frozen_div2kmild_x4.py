# What sangyun884/CinCGAN-pytorch found to be stable: 400K iterations of the inner cycle, in both
# directions, then a few hundred of the outer cycle alone, at 1e-5 with the cleaner frozen, of
# which the adversarial loss weighs 0.1 and identity 150. Its networks and discriminators end in
# leaky ReLU 0.2. It compares LR in [-1, 1], where squares are four times those here, hence 40, 20
# and 2 within the inner cycle; its outer cycle has [0, 1] as here.
_base_ = "cincgan_div2kmild_x4.py"
__lr = dict(last_activation=True, centred=True)
backbone = dict(cleaner=__lr)
degradation = dict(last_activation=True)
model = dict(
    reverse=__lr,
    lr_discriminator=dict(last_activation=True),
    hr_discriminator=dict(last_activation=True),
    reverse_discriminator=dict(type="CinCGANDiscriminator", form="lr", last_activation=True),
    inner_cycle_loss=dict(weight=40.0),
    inner_identity_loss=dict(weight=20.0),
    inner_tv_loss=dict(weight=2.0),
    gan_loss=dict(weight=0.2),
    loss=dict(weight=150.0),
    then="outer",
)
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(
    reverse_discriminator_step=__adam,
    enlarger_step=dict(optimizer=dict(lr=1e-5)),
    degradation_step=dict(optimizer=dict(lr=1e-5)),
    hr_discriminator_step=dict(optimizer=dict(lr=1e-5)),
)
param_scheduler = dict(
    _delete_=True,
    type="MultiStepLR",
    by_epoch=False,
    milestones=[40_000 * n for n in range(1, 10)],
    gamma=0.5,
)
train_cfg = dict(max_iters=400_500)
