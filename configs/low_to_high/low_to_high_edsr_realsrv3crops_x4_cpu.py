# As low_to_high_realsrv3crops_x4_cpu, with a small EDSR that learns by the absolute error, without
# a discriminator of its own.
_base_ = "low_to_high_realsrv3crops_x4_cpu.py"
backbone = dict(type="EDSR", num_blocks=4, num_features=32)
model = dict(loss=dict(type="L1Loss"), sr_discriminator=None)
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=5e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(
    _delete_=True,
    constructor="MultiOptimizerConstructor",
    degradation_step=__adam,
    lr_discriminator_step=__adam,
    backbone_step=__adam,
)
