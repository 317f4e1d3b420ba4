# KMSR (Zhou and Susstrunk, ICCV 2019): kernels drawn by a GAN that was trained on those of photos.
degradation = dict(type="KernelGenerator")
