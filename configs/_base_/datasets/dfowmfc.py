# dfo.py and Waterloo's 4744 photos, the first 2000 faces of FFHQ, Manga109, and the first 100
# training images of SCUT-CTW1500.
_base_ = "dfo.py"
__dfo = ["DIV2K/DIV2K_train_HR", "Flickr2K/Flickr2K_HR", "OST"]
hr_folders = [*__dfo, "WaterlooExploration", "FFHQ2000", "Manga109", "SCUT-CTW1500_100"]
