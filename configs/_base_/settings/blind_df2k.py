# DIV2K and Flickr2K; image and kernel; Set5, reduced as in training.
_base_ = ["../default_runtime.py", "../datasets/df2k_reduced.py", "../tasks/blind.py"]
