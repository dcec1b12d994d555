#!/bin/bash
# Starts the node. What ES_JAVA_OPTS say comes last, so it wins, as in the official image.
set -eu
home=/usr/share/elasticsearch
cd "$home"

# Half of the memory that the container may use becomes the heap, as in the official image; without a limit, 1 GB.
limit=$(cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || true)
[[ $limit =~ ^[0-9]+$ && $limit -lt 64000000000 ]] || limit=2000000000
heap=$((limit / 2 / 1048576))m

options=(
  "-Xms$heap" "-Xmx$heap"
  # Elasticsearch demands it.
  -XX:+UseG1GC
  # The second compiler takes more of a small machine's time than its code gives back.
  -XX:TieredStopAtLevel=1
  -XX:+ExitOnOutOfMemoryError
  --add-modules=jdk.net
  --enable-native-access=ALL-UNNAMED
  "-Des.path.home=$home"
  "-Des.nativelibs.path=$home/lib/platform"
  -Des.cgroups.hierarchy.override=/
  -Des.distribution.type=docker
  # Its library is in no registry.
  -Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false
  -Dio.netty.noUnsafe=true
  "-Dlog4j2.configurationFile=$home/config/log4j2.properties"
  -Dlog4j2.disable.jmx=true
  # Main ends the log once the node has stopped.
  -Dlog4j.shutdownHookEnabled=false
)
# The name of the node, unless its configuration has another; bash knows it, but tells nobody.
export HOSTNAME
# shellcheck disable=SC2086 # They are several words.
exec jdk/bin/java "${options[@]}" ${ES_JAVA_OPTS:-} -cp "$home/lib/classes:$home/lib/*" mangakai.Main
