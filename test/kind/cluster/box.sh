#!/bin/sh
# A box: its own network, mounts, processes and host name, on a root of its own. It is held by one process, and ends with it.
# Host interfaces, firewall rules and mounts are not touched. Runs as the first process of `unshare` (see box.ts).
#
#   box.sh ROOT FOLDER CACHE       ROOT: the system, stays as it is; FOLDER: what this box writes; CACHE: seen at the same path
set -eu
system=$1
folder=$2
cache=$3
root=$folder/root
mkdir -p "$folder/upper" "$folder/work" "$root"
mount -t overlay overlay -o "lowerdir=$system,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
for shared in "$cache" "$folder"; do
  mkdir -p "$root$shared"
  mount --bind "$shared" "$root$shared"
done
# kind mounts the folder of kernel modules into nodes.
mkdir -p "$root/usr/lib/modules" "$root/former"
cd "$root"
pivot_root . former
umount -l /former
# Containers see what is mounted later, too.
mount --make-rshared /
hostname dbtls-e2e
ip link set lo up
# A node needs an address and a default route, though nothing is behind it. Not every kernel has the device `dummy`.
ip link add eth0 type veth peer name eth0-peer
ip address add 10.86.0.1/24 dev eth0
ip link set eth0-peer up
ip link set eth0 up
ip route add default dev eth0
sysctl -qw net.ipv4.ip_forward=1
sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || :
touch "$folder/ready"
# The first process of a pid namespace has orphans to bury, which this shell does while it waits.
trap : HUP
while :; do
  sleep 3600 &
  wait $!
done
