_base_ = "edsr_t91_x4_cpu.py"
scale = 2
