# DIV2K, Flickr2K and the 10,324 photos of OutdoorSceneTraining, to be degraded. Set5, whose LR is
# bicubic, says little about a network for real photos: give your own photos to `realdeg infer`.
_base_ = ["hr_folders.py", "set5.py"]
patch_size = 256
batch_size = 32
hr_folders = ["DIV2K/DIV2K_train_HR", "Flickr2K/Flickr2K_HR", "OST"]
train_dataloader = dict(num_workers=8, dataset=dict(recursive=True))
