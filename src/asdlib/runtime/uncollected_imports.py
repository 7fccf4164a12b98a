"""What the script of a job imports first: its clock starts, and nothing looks for garbage until the step runs.

A step that succeeds ends the process quickly (`asdlib.runtime.quick_end`).

Modules are no garbage. The search takes a tenth of the time in which a job imports PyTorch. What was imported stays out
of every later search (`asdlib.runtime.lean_imports.keep_imports`), also of the last one, when the process ends, which
takes as long again. No other process imports this module.
"""

import gc

from asdlib.runtime import job_record, quick_end  # noqa: F401

quick_end.prepare()
gc.disable()
