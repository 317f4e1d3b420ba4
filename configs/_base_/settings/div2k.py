# benchmark.py on DIV2K.
_base_ = ["benchmark.py", "../datasets/div2k.py"]
