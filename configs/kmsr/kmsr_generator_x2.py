# KMSR's generator of kernels, a Wasserstein GAN with clipped weights: five steps of the critic for
# one of the generator, each on 128 kernels; 400K steps of the generator. Set
# train_dataloader.dataset.degradation.pool to the pool of your photos; else a stand-in is used.
_base_ = ["../_base_/default_runtime.py", "../_base_/degradations/kernel_generator.py"]
scale = 2
same_size = True
batch_size = 128
model = dict(
    type="AdversarialKernels",
    discriminator=dict(type="KernelCritic"),
    gan_loss=dict(type="WGANLoss"),
    weight_limit=0.01,
    generator_every=5,
)
model_wrapper_cfg = dict(type="ManualGradientSync")
train_dataloader = dict(
    num_workers=2,
    persistent_workers=True,
    dataset=dict(type="KernelSet", degradation=dict(type="KernelPool"), length=1000),
)
__step = dict(type="OptimWrapper", optimizer=dict(type="RMSprop", lr=5e-5))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", degradation_step=__step, discriminator_step=__step
)
train_cfg = dict(type="IterTrainLoop", max_iters=2_000_000)
