"""Clients of external scorers: one file a protocol, and ``client.py``, which asks.

A protocol is two pure functions: ``request`` writes the bytes of a question, ``opinion`` reads an answer, and raises
``ValueError`` for everything that is not exactly what the protocol says.
"""
