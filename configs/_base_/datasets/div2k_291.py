# DIV2K's 800 training photos, T91 and BSDS200, to be shrunk.
_base_ = "div2k.py"
hr_folders = ["DIV2K/DIV2K_train_HR", "T91", "BSDS200"]
