# benchmark_luma.py on the "291" images, for scales other than 2, 3 and 4.
_base_ = ["benchmark_luma.py", "../datasets/t91_bsds200_any_scale.py"]
