# ESRGAN-FS, TDSR: HR are the photos reduced by 2 with the bicubic filter, which removes their
# noise, so SR is clean; otherwise esrgan_fs_sdsr_df2k_x4.py. Only what the patch needs is reduced;
# a Gaussian window of one pixel smooths nothing.
_base_ = "esrgan_fs_sdsr_df2k_x4.py"
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=2 * 128 + 16),
            dict(type="DownsampleHR", factor=2, size=1, method="bicubic"),
            dict(type="CentreCrop", patch_size=128),
            dict(type="Flip"),
            dict(type="PackSample"),
        ]
    )
)
