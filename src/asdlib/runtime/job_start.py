"""The start of a job: what its script imports first, because it acts on all that the script imports afterwards.

- If the run has a server of jobs, one of its forks runs the job (`asdlib.runtime.job_client`).
- The clock of the job's record starts (`asdlib.runtime.job_record`).
- A step that succeeds will end the process quickly (`asdlib.runtime.quick_end`).
- Nothing looks for garbage until the step runs. Modules are no garbage, and the search takes a tenth of the time in
  which a job imports PyTorch. What was imported stays out of every later search
  (`asdlib.runtime.lean_imports.keep_imports`).

No other process imports this module.
"""

from asdlib.runtime import job_client

job_client.hand_over()  # before anything is imported that only this process would need

import gc  # noqa: E402

from asdlib.runtime import job_record, quick_end  # noqa: E402, F401

quick_end.prepare()
gc.disable()
