"""The real service, measured from outside: load, overload, soak and bundle changes.

Each script starts ``cascade serve`` with a database of its own, asks it from a second process and
writes ``eval/results/service_NAME.json``.
"""
