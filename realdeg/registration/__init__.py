"""Registration of photos of one scene: where each pixel of one lies in the other.

Arrays in, arrays out. :func:`realdeg.register_photos` does the same for folders of photos.
"""

from realdeg.registration.coarse import (
    CoarseMatch,
    Features,
    find_features,
    match_features,
    seek,
)
from realdeg.registration.cutting import CutPair, cut_pair
from realdeg.registration.pair import Registration, RejectedPairError, register_pair
from realdeg.registration.transform import Transform

__all__ = [
    "CoarseMatch",
    "CutPair",
    "Features",
    "Registration",
    "RejectedPairError",
    "Transform",
    "cut_pair",
    "find_features",
    "match_features",
    "register_pair",
    "seek",
]
