"""State machines as data: what they are, whether they are sound, how they are read, stepped and drawn."""
