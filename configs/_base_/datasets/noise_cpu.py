# A denoiser's photos for two CPU cores: T91.
_base_ = "noise.py"
batch_size = 8
hr_folders = "T91"
train_dataloader = dict(num_workers=2)
