# DIV2K and Flickr2K, to be shrunk.
_base_ = ["hr_folders.py", "set5.py"]
patch_size = 128
batch_size = 16
hr_folders = ["DIV2K/DIV2K_train_HR", "Flickr2K/Flickr2K_HR"]
