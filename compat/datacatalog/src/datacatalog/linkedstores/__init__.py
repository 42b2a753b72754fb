"""The stores of the original that have to do with pipelines and their jobs."""
