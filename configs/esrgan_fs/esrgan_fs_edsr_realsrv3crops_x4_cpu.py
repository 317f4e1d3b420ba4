# FSSR's shortest road: a small EDSR from nothing, on what dsgan_realsrv3crops_x4_cpu makes of the
# HR side of the RealSR V3 crops; otherwise esrgan_fs_sdsr_realsrv3crops_x4_cpu.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v3_crops.py",
    "../_base_/learned/dsgan_realsrv3crops_cpu.py",
    "../_base_/tasks/esrgan_fs.py",
    "../_base_/schedules/adam_gan_sr_cpu.py",
]
scale = 4
patch_size = 128
backbone = dict(type="EDSR", num_blocks=4, num_features=32)
__hr = ["RealSR-V3-crops/Canon/Train/4", "RealSR-V3-crops/Nikon/Train/4"]
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        _delete_=True, type="HRFolderDataset", folder=__hr, pattern="*_HR.png", transforms=__patch
    ),
)
model = dict(
    discriminator=dict(discriminator=dict(size=128, width=16)),
    loss=dict(
        terms=[
            dict(
                type="FilteredLoss", loss=dict(type="L1Loss"), filter="average", size=9, band="low"
            ),
        ]
    ),
)
# From nothing, the network learns faster than its discriminator.
optim_wrapper = dict(
    backbone_step=dict(optimizer=dict(lr=5e-4)), discriminator_step=dict(optimizer=dict(lr=5e-5))
)
