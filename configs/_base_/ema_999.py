# The mean of the weights, 0.999 of it old at every step, is validated and exported.
custom_hooks = [dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentum=1e-3)]
