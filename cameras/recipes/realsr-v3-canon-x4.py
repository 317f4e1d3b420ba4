# The Canon of the centre crops of RealSR V3: 20 pairs to learn from, 5 to test.
_base_ = "parts/realsr_v3_crops.py"
train_dataloader = dict(dataset=dict(cameras=["Canon"]))
val_dataloader = dict(dataset=dict(cameras=["Canon"]))
test_dataloader = val_dataloader
