# HR images shrunk by the bicubic filter, absolute error, PSNR and SSIM of luma.
_base_ = ["../default_runtime.py", "../degradations/bicubic.py", "../tasks/benchmark.py"]
