# The deep image prior on Set5, bicubic x4. The paper makes LR by PIL's Lanczos filter and fits that
# reduction; MATLAB's bicubic LR is fitted by MATLAB's bicubic reduction here.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/set5.py",
    "../_base_/tasks/benchmark_y.py",
]
scale = 4
backbone = dict(type="DIP", kernel="bicubic")
