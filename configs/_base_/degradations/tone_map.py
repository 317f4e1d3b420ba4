# The response curve of another camera: Eilertsen et al., SIGGRAPH Asia 2017.
degradation = dict(type="ToneMap")
