"""The store in memory: the reference of what every store does, and nothing durable."""

from jobpass.stores.memory.store import MemoryStore as MemoryStore
