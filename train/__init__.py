import os

# Before torch loads OpenMP: threads that spin while they wait halve the speed of training on a
# machine that does anything else.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
