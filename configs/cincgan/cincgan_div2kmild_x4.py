# Yuan et al., CVPRW 2018: batches of 16 crops of 32 x 32 LR pixels; Adam with betas (0.5, 0.999),
# 2e-4 for the inner cycle and 1e-4 for the outer one, halved every 40K of 400K iterations. The
# inner cycle is trained first, then both are, with rates that begin anew. The network that
# enlarges was trained on bicubic reductions. (The paper takes HR of the first 400 scenes and LR of
# the others; here a scene never meets itself.)
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_div2k_mild.py",
    "../_base_/tasks/cincgan.py",
]
scale = 4
__edsr = "work_dirs/edsr_div2k_x4/backbone.safetensors"
backbone = dict(enlarger=dict(start_from=dict(checkpoint=__edsr)))
model = dict(inner_first=400_000)
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4, betas=(0.5, 0.999)))
__outer = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor",
    cleaner_step=__adam,
    reverse_step=__adam,
    lr_discriminator_step=__adam,
    enlarger_step=__outer,
    degradation_step=__outer,
    hr_discriminator_step=__outer,
)
__half = dict(type="MultiStepLR", by_epoch=False, gamma=0.5)
__first = dict(__half, milestones=[40_000 * n for n in range(1, 10)])
__then = dict(__half, milestones=[400_000 + 40_000 * n for n in range(1, 10)])
__anew = dict(__half, milestones=[400_000], gamma=2.0**9)
__both = [__first, __anew, __then]
param_scheduler = dict(
    cleaner_step=__both,
    reverse_step=__both,
    lr_discriminator_step=__both,
    enlarger_step=[__then],
    degradation_step=[__then],
    hr_discriminator_step=[__then],
)
train_cfg = dict(type="IterTrainLoop", max_iters=800_000, val_interval=10_000)
