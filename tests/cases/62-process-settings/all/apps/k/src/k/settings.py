import signal
import sys
import types
import warnings


def heard(number, frame):
    return "@VSN@"


signal.signal(signal.SIGUSR2, heard)
warnings.filterwarnings("ignore", message=f"k has {len(sys.argv[:0])}")
sys.modules["k_alias"] = types.ModuleType("k_alias")
sys.modules["k_alias"].VSN = "@VSN@"
