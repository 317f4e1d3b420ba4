# TDSR for two CPU cores: HR are the crops of RealSR V3 reduced by 2.
_base_ = "esrgan_fs_sdsr_realsrv3crops_x4_cpu.py"
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="HRFolderDataset",
        folder=["RealSR-V3-crops/Canon/Train/4", "RealSR-V3-crops/Nikon/Train/4"],
        pattern="*_HR.png",
        transforms=[
            dict(type="PairedCrop", patch_size=2 * 64 + 16),
            dict(type="DownsampleHR", factor=2, size=1, method="bicubic"),
            dict(type="CentreCrop", patch_size=64),
            dict(type="Flip"),
            dict(type="PackSample"),
        ],
    )
)
