"""The GPUs of the machine, and whether their driver fits PyTorch, without PyTorch, whose import takes seconds."""

import ctypes
import re
from importlib.util import find_spec
from pathlib import Path

LIBRARY = "libnvidia-ml.so.1"  # the driver's management library
CUDA = "libcuda.so.1"  # the driver's library of CUDA
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


def too_old() -> str:
    """Return a line that says that the driver is too old for the installed PyTorch; empty if it is not, or unknown.

    A driver supports programs for its own major version of CUDA and for all earlier ones.
    """
    supported, needed = supported_cuda(), needed_cuda()
    if not supported or not needed or int(supported.partition(".")[0]) >= int(needed.partition(".")[0]):
        return ""
    return (
        f"GPU: not used: its driver supports CUDA up to {supported}, and the installed PyTorch is for {needed}: update "
        "the driver, or install PyTorch for that CUDA (docs/faq.md, GPU)"
    )


def supported_cuda() -> str:
    """Return the newest version of CUDA that the driver supports, such as 12.4; empty without a driver."""
    found = ctypes.c_int()
    try:
        failed = ctypes.CDLL(CUDA).cuDriverGetVersion(ctypes.byref(found))
    except OSError:
        return ""
    return "" if failed or not found.value else f"{found.value // 1000}.{found.value % 1000 // 10}"


def needed_cuda() -> str:
    """Return the version of CUDA that the installed PyTorch was built for, such as 13.0; empty if for none."""
    package = find_spec("torch")
    if package is None or package.origin is None:
        return ""
    built = Path(package.origin).with_name("version.py")
    text = built.read_text(encoding="utf-8") if built.is_file() else ""
    version = re.search(r"^cuda\b[^=\n]*= '(\d+\.\d+)'", text, re.MULTILINE)
    return version[1] if version else ""
