"""Training the built-in reader: ``python -m train.reader``."""
