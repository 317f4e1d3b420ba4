# T91 in small patches for two CPU cores, all of it decoded once.
_base_ = "t91.py"
patch_size = 48
batch_size = 8
train_dataloader = dict(num_workers=2)
