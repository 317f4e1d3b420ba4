# df2k.py, validated on Set5 as the run's own degradation reduces it.
_base_ = ["hr_folders.py", "set5_reduced.py"]
patch_size = 256
batch_size = 16
hr_folders = ["DIV2K/DIV2K_train_HR", "Flickr2K/Flickr2K_HR"]
