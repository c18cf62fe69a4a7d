"""A colour as three shares of light, without a library."""

Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 1."""


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """The colour `share` of the way from `a` to `b`."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)
