# A network against a discriminator, from pairs, degraded HR or both, measured as real photos are.
# The objective is ESRGAN's but for the content term, which a recipe adds.
_base_ = "super_resolution.py"
model = dict(
    type="AdversarialSuperResolution",
    loss=dict(type="WeightedLoss", terms=[dict(type="L1Loss", name="pixel", weight=1e-2)]),
    discriminator=dict(type="UNetDiscriminator"),
    gan_loss=dict(type="RelativisticGANLoss", weight=5e-3),
)
# Several processes: the task averages the gradients of its players itself.
model_wrapper_cfg = dict(type="ManualGradientSync")
