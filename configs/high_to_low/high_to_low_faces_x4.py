# Bulat, Yang, Tzimiropoulos, ECCV 2018, first stage: faces of 64 x 64 pixels to 16 x 16, unpaired
# with small faces of Widerface, in the folders of the authors' archive. 200 epochs of 64 (paper)
# over its 60,000 CelebA faces are 187,500 iterations.
_base_ = ["../_base_/default_runtime.py", "../_base_/degradations/high_to_low.py"]
scale = 4
same_size = False
batch_size = 64
model = dict(
    type="UnpairedDegradation",
    discriminator=dict(type="BulatDiscriminator", width=128, halvings=2, blocks=3),
    # Every pixel of the LR image against the mean of 4 x 4 pixels of HR.
    loss=dict(type="MSELoss", weight=1.0),
    low_pass_size=1,
    gan_loss=dict(type="HingeGANLoss", weight=0.05),
    perceptual_loss=None,
)
model_wrapper_cfg = dict(type="ManualGradientSync")
__faces = dict(type="HRFolderDataset", too_small="skip")
__hr = [dict(type="PairedCrop", patch_size=64), dict(type="PackSample")]
__lr = [dict(type="PairedCrop", patch_size=16), dict(type="PackSample")]
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    dataset=dict(
        type="UnpairedDataset",
        real="hr",
        datasets=[
            dict(__faces, folder="HIGH", recursive=True, transforms=__hr),
            dict(__faces, folder="LOW/wider_lnew", transforms=__lr),
        ],
    ),
)
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.0, 0.9)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", degradation_step=__adam, discriminator_step=__adam
)
train_cfg = dict(type="IterTrainLoop", max_iters=187_500, val_interval=10_000)
