#!/bin/sh
# Makes a root file system of Debian bookworm that is a node of Kubernetes (systemd, containerd, iptables …) and has podman, which
# starts such nodes. Needs root; nothing is installed on the machine.
#
#   system.sh MMDEBSTRAP FOLDER        MMDEBSTRAP: the Perl script, FOLDER: becomes the root
set -eu
tool=$1
root=$2
mirror=$(
  {
    sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources 2>/dev/null
    sed -n 's/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null
  } | grep -v security | head -n 1
)
[ -n "$mirror" ] || {
  echo "no Debian mirror is known on this machine" >&2
  exit 1
}
# As kind's own base image, and podman. crun is what podman would take by itself; the node has runc already.
node=systemd,systemd-sysv,dbus,containerd,runc,containernetworking-plugins,iptables,nftables,conntrack,ethtool,socat,iproute2
node=$node,util-linux,mount,kmod,libseccomp2,ca-certificates,hostname,jq,procps,bash
PATH=$(dirname "$tool"):$PATH perl "$tool" --quiet --mode=root --variant=apt --include="$node,podman,netavark,aardvark-dns" \
  --aptopt='APT::Install-Recommends "false"' --aptopt='APT::Sandbox::User ""' --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$root" \
  "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >&2
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*

# As kind's Dockerfile: units that a container must not start, and a machine id that each node makes for itself.
cd "$root"
rm -f lib/systemd/system/multi-user.target.wants/* etc/systemd/system/*.wants/* lib/systemd/system/local-fs.target.wants/* \
  lib/systemd/system/sockets.target.wants/*udev* lib/systemd/system/sockets.target.wants/*initctl* \
  lib/systemd/system/basic.target.wants/* lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
echo ReadKMsg=no >>etc/systemd/journald.conf
: >etc/machine-id
