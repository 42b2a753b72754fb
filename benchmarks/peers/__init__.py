"""Jobpass beside its peers: the nearest same operation of each, in one run, with the same load generator."""
