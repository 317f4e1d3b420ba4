# "291": the 91 images of Yang et al. and the 200 training images of BSDS300 (BSDS200), to be
# shrunk, turned and flipped. Papers also shrink them beforehand, by factors down to 0.5 or 0.6:
# that has no transform yet.
_base_ = ["hr_folders.py", "set5.py"]
patch_size = 36
batch_size = 64
hr_folders = ["T91", "BSDS200"]
