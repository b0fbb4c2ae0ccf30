"""The benchmark: our pipeline beside its peers and beside the least work possible, in one run."""
