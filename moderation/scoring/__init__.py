"""A comment in, scores and evidence out. Knows no web and no database."""

import os

# numpy's linear algebra starts a thread for each core when it is first imported. The model's matrices are so small that
# threads only cost, and they would not survive the fork of gunicorn's workers.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
