"""The service: the cascade over REST, and a small page to try a ticket on.

Import the parts from their own modules (``serve.app``, ``serve.settings``, ...); this file stays
empty so that ``import serve.settings`` does not drag Flask in.
"""
