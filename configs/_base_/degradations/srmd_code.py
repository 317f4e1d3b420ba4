# SRMD as its released training code draws: anisotropic kernels alone, the same at every scale.
degradation = dict(type="SRMD", settings="code", sigma=(0, 75))
