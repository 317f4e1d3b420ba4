# benchmark_luma.py on the "291" images.
_base_ = ["benchmark_luma.py", "../datasets/t91_bsds200.py"]
