"""The GPUs of the machine, counted without PyTorch, whose import takes seconds."""

import ctypes
from pathlib import Path

LIBRARY = "libnvidia-ml.so.1"  # the driver's management library
DEVICES = Path("/dev")


def installed() -> int:
    """Return the number of GPUs that the driver shows; 0 where it is missing or does not answer.

    Some containers have the driver's device files, but not its management library.
    """
    try:
        driver = ctypes.CDLL(LIBRARY)
    except OSError:
        return len(list(DEVICES.glob("nvidia[0-9]*")))
    found = ctypes.c_uint()
    if driver.nvmlInit_v2():
        return 0
    failed = driver.nvmlDeviceGetCount_v2(ctypes.byref(found))
    driver.nvmlShutdown()
    return 0 if failed else found.value
