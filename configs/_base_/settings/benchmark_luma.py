# HR images shrunk by the bicubic filter, squared error of luma.
_base_ = ["../default_runtime.py", "../degradations/bicubic.py", "../tasks/benchmark_y.py"]
