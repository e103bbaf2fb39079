"""Endpoints of other services' protocols: their paths, their bytes, their errors, on our judgement."""
