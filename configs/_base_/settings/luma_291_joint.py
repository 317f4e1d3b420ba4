# One network for scales 2, 3 and 4, by squared error of luma on the "291" images.
_base_ = [
    "../default_runtime.py",
    "../datasets/t91_bsds200_joint.py",
    "../degradations/bicubic_joint.py",
    "../tasks/benchmark_y.py",
]
