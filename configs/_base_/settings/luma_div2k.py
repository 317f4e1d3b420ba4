# benchmark_luma.py on DIV2K.
_base_ = ["benchmark_luma.py", "../datasets/div2k.py"]
