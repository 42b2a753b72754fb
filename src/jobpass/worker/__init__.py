"""The worker: runs jobs in children of its own, and knows the server only as a client does."""
