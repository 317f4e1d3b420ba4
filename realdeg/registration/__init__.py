"""Registration of photos of one scene: where each pixel of one lies in the other."""
