"""Ends the program on SIGTERM, which the kernel withholds from the first process of a container without a handler."""

import os
import signal
import threading
import time

STUCK_SECONDS = 7.0  # a pod that is told to stop is gone within 10 s


def end_on_sigterm(status: int) -> None:
    """From now on SIGTERM ends the program, with the exit status `status`.

    SystemExit is raised in the main thread, so that what it is at ends in order: a child is ended, a folder removed.
    Where Python cannot do so, in a look-up of a name or within SQLite, the process just ends, `STUCK_SECONDS` later.
    """
    told, tell = os.pipe()
    os.set_blocking(tell, False)

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing interrupts the tidying up
        raise SystemExit(status)

    def end() -> None:
        while os.read(told, 1)[0] != signal.SIGTERM:
            pass
        time.sleep(STUCK_SECONDS)
        os._exit(status)

    threading.Thread(target=end, daemon=True).start()
    signal.set_wakeup_fd(tell)  # written to at once, whatever the main thread is at
    signal.signal(signal.SIGTERM, stop)
