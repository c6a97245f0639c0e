"""moto's server with what moto_additions.py adds: python tests/infra/moto_server.py PORT"""

import sys

import moto_additions  # type: ignore[import-not-found] # noqa: F401 - beside this script; it changes moto
from moto.server import main

if __name__ == "__main__":
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
