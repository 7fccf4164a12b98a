"""Hands a job over to the server of tests/helpers/job_server.py, and ends as the job does.

Put on PYTHONPATH, every Python of a run reads this first, as in tests/end_to_end/halting. The rule's shell has started
the job by then; the fork of the server takes over its command, its environment, its folder and its output.
"""

import os
import sys

SERVER = os.environ.get("JOB_SERVER")

if SERVER and len(sys.orig_argv) > 2 and "/workflow/scripts/" in sys.orig_argv[2]:  # python -P <script> <job> …
    import json
    import socket

    environment = {name: value for name, value in os.environ.items() if name != "JOB_SERVER"}
    folder = os.getcwd()  # noqa: PTH109 (importing pathlib takes as long as the rest)
    job = {"arguments": sys.orig_argv[2:], "folder": folder, "environment": environment, "path": sys.path}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(SERVER)
        socket.send_fds(server, [json.dumps(job).encode()], [0, 1, 2])
        code = int(server.recv(16) or 1)  # nothing if the server is gone
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)
