# ZSSR on Set5, bicubic x2, in one step: about 1000 iterations for each image. There is nothing to
# train beforehand: `realdeg test` trains on every image that it measures.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/set5.py",
    "../_base_/tasks/benchmark_y.py",
]
scale = 2
backbone = dict(type="ZSSR")
