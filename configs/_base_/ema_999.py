# The mean of the network's weights, 0.999 of it old at every step, is validated and exported.
custom_hooks = [dict(type="ComponentEMAHook", momentum=1e-3)]
