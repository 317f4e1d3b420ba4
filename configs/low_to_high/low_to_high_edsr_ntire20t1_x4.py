# Bulat et al.'s method for photos instead of faces, as UnpairedSR trains it for track 1 of NTIRE
# 2020: an EDSR that starts from bicubic LR learns by the absolute error alone, a least-squares loss
# teaches the degradation beside the squared error, and the network's loss reaches it as well.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_ntire20t1_x4.py",
    "../_base_/degradations/high_to_low.py",
    "../_base_/tasks/unpaired_super_resolution.py",
    "../_base_/schedules/adam_unpaired_200k.py",
]
scale = 4
val_evaluator = None
test_evaluator = None
degradation = dict(noise="vector")
__bicubic = "work_dirs/edsr_div2k_x4/backbone.safetensors"
backbone = dict(type="EDSR", start_from=dict(checkpoint=__bicubic))
model = dict(
    loss=dict(type="L1Loss", weight=1.0),
    lr_discriminator=dict(
        _delete_=True, type="PatchGANDiscriminator", width=64, halvings=2, norm="instance"
    ),
    lr_gan_loss=dict(_delete_=True, type="LSGANLoss", weight=1.0),
    sr_discriminator=None,
    sr_gradient=1.0,
)
__adam = dict(
    type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4), clip_grad=dict(max_norm=50)
)
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor",
    degradation_step=__adam,
    lr_discriminator_step=__adam,
    backbone_step=__adam,
)
