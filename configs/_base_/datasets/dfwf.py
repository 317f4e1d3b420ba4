# dfo.py with Waterloo's 4744 photos and the first 2000 faces of FFHQ in place of OST. BSRGAN's code
# only flips files that have "face" in their name; all are turned and flipped here.
_base_ = "dfo.py"
patch_size = 288
batch_size = 48
hr_folders = [
    "DIV2K/DIV2K_train_HR",
    "Flickr2K/Flickr2K_HR",
    "WaterlooExploration",
    "FFHQ2000",
]
