# The 91 images of Yang et al. (the smallest side is 78), to be shrunk; the early papers' set.
_base_ = ["hr_folders.py", "set5.py"]
patch_size = 36
batch_size = 64
hr_folders = "T91"
