# EDSR-PyTorch's WGAN_GP in place of its GAN: the gradient penalty weighs 10, Adam of the
# discriminator has betas 0 and 0.9 and a fixed rate of 1e-5. There the discriminator normalises by
# batches, which ties the gradients of samples to each other; here it is a PatchGAN without
# normalisation. One step of the discriminator for each of the network as in that code; the paper of
# WGAN-GP takes five (model.discriminator_steps=5).
_base_ = "edsr_gan_div2k_x4.py"
model = dict(
    discriminator=dict(type="PatchGANDiscriminator", norm="none"),
    gan_loss=dict(type="WGANLoss", weight=0.15),
    penalties=[dict(type="GradientPenalty", weight=10.0)],
)
optim_wrapper = dict(discriminator_step=dict(optimizer=dict(lr=1e-5, betas=(0.0, 0.9))))
