# benchmark.py on DIV2K, for scales other than 2, 3 and 4.
_base_ = ["benchmark.py", "../datasets/div2k_any_scale.py"]
