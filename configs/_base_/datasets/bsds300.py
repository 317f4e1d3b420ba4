# The 300 images of the Berkeley segmentation data set, to be shrunk.
_base_ = ["hr_folders.py", "set5.py"]
patch_size = 48
batch_size = 64
hr_folders = "BSDS300"
