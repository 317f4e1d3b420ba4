# The two cameras of NTIRE 2019: LR lies on the HR grid, 9 pairs to learn from, 3 to test.
_base_ = ["../../configs/_base_/datasets/ntire19.py", "parts/dml.py"]
scale = 4
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0)
test_dataloader = val_dataloader
