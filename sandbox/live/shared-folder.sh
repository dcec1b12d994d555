#!/bin/sh
# A volume driver for the kubelet: one folder of the node, which every pod that mounts it may write.
# https://github.com/kubernetes/community/blob/main/contributors/devel/sig-storage/flexvolume.md
folder=/var/lib/shared-folder
case $1 in
init) echo '{"status": "Success", "capabilities": {"attach": false, "fsGroup": false}}' ;;
mount) mkdir -p "$folder" "$2" && chmod 0777 "$folder" && mount --bind "$folder" "$2" && echo '{"status": "Success"}' ;;
unmount) umount "$2" && echo '{"status": "Success"}' ;;
*) echo '{"status": "Not supported"}' ;;
esac
