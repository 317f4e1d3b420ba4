# What all adversarial runs share: they start from the network of l1.py, with Adam at 1e-4 for both
# players, as SRGAN, ESRGAN and Real-ESRGAN. The content loss sees the VGG16 of ST-LPIPS, a stand-in
# for ImageNet's VGG19 of the recipes. Distances in its last layer are 20 times those that logs of
# ESRGAN show for VGG19 (20 against 0.8 to 1.0, open-mmlab/mmagic#82, XPixelGroup/BasicSR#204), so
# its features are divided by 20, or that layer is weighed by a twentieth.
_base_ = "l1.py"
batch_size = 4
model = dict(
    type="AdversarialSuperResolution",
    discriminator=dict(type="UNetDiscriminator", width=16),
    loss=dict(type="WeightedLoss", terms=[dict(type="L1Loss")]),
)
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.99)))
optim_wrapper = dict(
    _delete_=True,
    constructor="MultiOptimizerConstructor",
    backbone_step=__adam,
    discriminator_step=__adam,
)
param_scheduler = []
