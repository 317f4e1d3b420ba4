# The two cameras of NTIRE 2019: LR lies on the HR grid, 9 pairs to learn from, 3 to test.
_base_ = ["../../configs/_base_/datasets/ntire19.py", "parts/dml.py"]
scale = 4
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0)
test_dataloader = val_dataloader
# At the rate of the others the field of kernels becomes constant within 1,000 iterations.
optim_wrapper = dict(optimizer=dict(lr=3e-4))
