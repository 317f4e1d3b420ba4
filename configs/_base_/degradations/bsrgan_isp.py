# BSRGAN with the camera model that its paper describes and its code leaves out.
degradation = dict(type="BSRGAN", isp=dict(type="CameraISP", recipe="bsrgan"), isp_probability=0.25)
