# LR with noise of sigma 30 after the bicubic reduction, the noise of the x3 benchmark "DN".
_base_ = "edsr_t91_x4_cpu.py"
degradation = dict(type="AWGN", sigma=30, clip=True)
