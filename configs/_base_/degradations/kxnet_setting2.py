# KXNet, setting 2: anisotropic, and noise of sigma 0 to 25, here in whole grey levels.
degradation = dict(
    type="Compose",
    parts=[
        dict(type="BlurDown", kind="KXNet-2"),
        dict(type="OneOf", parts=[dict(type="AWGN", sigma=sigma) for sigma in range(26)]),
    ],
)
