"""Whether the server in this container answers: exit code 0 or 1. Asked by the image's health check."""

import os
import sys
from urllib.request import urlopen

try:
    with urlopen(f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/health/live", timeout=4) as answer:
        sys.exit(int(answer.status != 200))
except OSError as error:
    sys.exit(f"no answer: {error}")
