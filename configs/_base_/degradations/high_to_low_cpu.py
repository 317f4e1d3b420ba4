# For two CPU cores: a quarter of the width.
degradation = dict(type="HighToLow", width=16, noise="map")
