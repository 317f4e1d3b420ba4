# The 512 x 512 centre crops of RealSR V3 that are passed around, unpacked in the official layout.
_base_ = "realsr_v3.py"
patch_size = 96
batch_size = 8
train_dataloader = dict(num_workers=2, dataset=dict(folder="RealSR-V3-crops"))
val_dataloader = dict(dataset=dict(folder="RealSR-V3-crops"))
test_dataloader = val_dataloader
