"""What becomes of the datasources' plugins, which lie in Grafana's image and run beside it.

Each listens on a socket among the temporary files. Unless it is told not to, Grafana 13 replaces them at its start by
those of grafana.com: it ends a plugin, and where it then cannot write or nobody answers, as here, there is none.
Sources: https://github.com/grafana/grafana/issues/132528 and 123110; pkg/setting/setting_plugins.go of Grafana.
"""

import tempfile
from configparser import ConfigParser


def lost(ini: ConfigParser) -> str:
    """Return why the plugins do not run, or "" where they do.

    Args:
        ini: of Grafana.
    """
    if not ini.getboolean("plugins", "preinstall_disabled", fallback=False):
        return "Failed to install plugin: grafana.com does not answer (plugins.preinstall_disabled is not true)"
    try:
        tempfile.TemporaryFile().close()
    except OSError as error:
        return f"Could not start plugin backend: no socket in {tempfile.gettempdir()}: {error}"
    return ""
