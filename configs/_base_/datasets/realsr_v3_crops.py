# The 512 x 512 centre crops of RealSR V3 that are passed around, unpacked in the official layout.
_base_ = "realsr_v3.py"
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        folder="RealSR-V3-crops",
        transforms=[
            dict(type="PairedCrop", patch_size=96),
            dict(type="Flip", horizontal=True, vertical=True, transpose=False),
            dict(type="PackSample"),
        ],
    ),
)
val_dataloader = dict(dataset=dict(folder="RealSR-V3-crops"))
test_dataloader = val_dataloader
