# Test kernels as KernelGAN's authors draw them; LR lies half a pixel beside bicubic LR.
degradation = dict(type="BlurDown", kind="DIV2KRK")
