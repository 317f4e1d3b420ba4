# benchmark_luma.py on the 91 images of Yang et al.
_base_ = ["benchmark_luma.py", "../datasets/t91.py"]
