"""A cloud as its client sees it: where it is, and the objects in it."""
