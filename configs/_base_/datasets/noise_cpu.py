# A denoiser's photos for two CPU cores: T91.
_base_ = "noise.py"
train_dataloader = dict(batch_size=8, num_workers=2, dataset=dict(folder="T91"))
