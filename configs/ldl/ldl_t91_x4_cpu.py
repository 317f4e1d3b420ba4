# esrgan_t91_x4_cpu.py with the loss of artifacts and the mean of the weights that it compares with.
_base_ = ["../rrdbnet/esrgan_t91_x4_cpu.py", "../_base_/ema_999.py"]
model = dict(loss=dict(terms=[dict(type="L1Loss"), dict(type="LDLLoss")]))
