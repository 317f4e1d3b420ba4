# ImageNet's training photos in their folders of classes, to be shrunk.
_base_ = ["hr_folders.py", "set5.py"]
patch_size = 192
batch_size = 32
hr_folders = "ImageNet/train"
train_dataloader = dict(num_workers=8, dataset=dict(recursive=True))
