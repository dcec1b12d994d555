#!/bin/bash
# The contract of the official image's entrypoint: `eswrapper` starts the node, anything else is run as it is.
set -eu
# What the node writes belongs to its group, as whose member it may run next.
umask 0002
[[ $1 == eswrapper ]] || exec "$@"
exec /usr/share/elasticsearch/bin/elasticsearch
