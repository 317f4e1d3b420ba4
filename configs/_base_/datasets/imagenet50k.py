# 50,000 photos of ImageNet, to be shrunk. Which ones the papers took is not known: take any.
_base_ = ["hr_folders.py", "set5.py"]
patch_size = 100
batch_size = 32
hr_folders = "ImageNet50K"
