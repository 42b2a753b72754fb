"""The kinds of object that a cloud has, one module each."""
