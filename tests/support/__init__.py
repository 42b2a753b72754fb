"""What several tests share: import it as ``support``."""
