"""A package of pytest, so that what its tests share ends with them."""
