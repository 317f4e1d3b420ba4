# Back to raw, noise of the sensor, development: Brooks et al., CVPR 2019.
degradation = dict(type="CameraISP", recipe="brooks")
