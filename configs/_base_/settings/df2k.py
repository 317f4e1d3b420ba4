# benchmark.py on DIV2K and Flickr2K.
_base_ = ["benchmark.py", "../datasets/df2k.py"]
