/**
 * The image of a node for kind, without a registry: Debian with kind's own files, the programs of Kubernetes, and the images of its
 * control plane as archives, which containerd takes in when the node starts for the first time.
 *
 *   node test/kind/cluster/node-image.ts STORE SYSTEM BINARIES CONTROL-PLANE KIND-MODULE
 *     STORE          a folder that podman is to find the image in, as localhost/node:VERSION
 *     SYSTEM         the root of system.sh
 *     BINARIES       the folder of modules/build.sh; CONTROL-PLANE: that of the control plane's
 *     KIND-MODULE    the folder of kind's Go module
 */
import { cpSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { must } from '../../controlplane/harness/process.ts'
import type { Layer } from '../image/archive.ts'
import { writeArchive, writeLayout } from '../image/archive.ts'
import { Box } from './box.ts'
import { kindCache } from './cache.ts'
import { tags } from './tags.ts'

const put = (folder: string, path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

const copy = (from: string, folder: string, path: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  copyFileSync(from, join(folder, path))
}

const link = (target: string, folder: string, path: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  symlinkSync(target, join(folder, path))
}

interface Sources {
  readonly system: string
  readonly binaries: string
  readonly controlPlane: string
  readonly kindModule: string
}

/** kube-proxy calls iptables, so these programs go along with their libraries. */
const iptables = async (system: string, folder: string): Promise<void> => {
  const program = '/usr/sbin/xtables-nft-multi'
  const modules = '/usr/lib/x86_64-linux-gnu/xtables'
  copy(join(system, program), folder, program)
  cpSync(join(system, modules), join(folder, modules), { recursive: true, verbatimSymlinks: true })
  for (const suffix of ['', '-save', '-restore']) {
    for (const name of ['iptables', 'ip6tables']) link('xtables-nft-multi', folder, `usr/sbin/${name}${suffix}`)
  }
  const { stdout } = await must('chroot', [system, 'sh', '-c', `ldd ${program} ${modules}/*.so`])
  const libraries = new Set([...stdout.matchAll(/(\/(?:usr\/)?lib(?:64)?\/[^\s:]+)/g)].map(([, path]) => path ?? ''))
  for (const path of libraries) if (!path.includes('/xtables/')) copy(join(system, path), folder, path)
}

/** Each program of the control plane in an image of its own, under the names that kubeadm expects. */
const controlPlaneImages = async (work: string, images: string, from: Sources): Promise<void> => {
  const programs: Readonly<Record<string, string>> = {
    'kube-apiserver': join(from.controlPlane, 'kube-apiserver'),
    'kube-controller-manager': join(from.controlPlane, 'kube-controller-manager'),
    etcd: join(from.controlPlane, 'etcd'),
    'kube-scheduler': join(from.binaries, 'kube-scheduler'),
    'kube-proxy': join(from.binaries, 'kube-proxy'),
    coredns: join(from.binaries, 'coredns'),
    pause: join(from.binaries, 'pause'),
  }
  mkdirSync(images, { recursive: true })
  for (const [name, program] of Object.entries(programs)) {
    const folder = join(work, name)
    const path = join('/usr/local/bin', name)
    copy(program, folder, path)
    mkdirSync(join(folder, 'tmp'))
    if (name === 'kube-proxy') await iptables(from.system, folder)
    const layout = join(work, `${name}.layout`)
    await writeLayout(layout, {
      name: `localhost/${name}:${tags(name)}`,
      layers: [{ folder, owner: '0:0' }],
      config: { Entrypoint: [path], Env: ['PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
    })
    await writeArchive(join(images, `${name}.tar`), layout)
    rmSync(layout, { recursive: true })
  }
}

/** One network for all pods of the one node. */
const network = {
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: '10.244.0.0/16' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
}

/** Volumes of a folder each: those of the controller manager's own provisioner ignore fsGroup. cluster.ts adds the volumes. */
const storage = `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
`

/** What kind's Dockerfile does: containers get the node's product identity, and no limits of their own. */
const containerSpec = async (system: string): Promise<string> => {
  const spec = JSON.parse((await must('chroot', [system, 'ctr', 'oci', 'spec'])).stdout) as {
    process: { rlimits?: unknown }
    hooks?: unknown
  }
  delete spec.process.rlimits
  spec.hooks = { createContainer: [{ path: '/kind/bin/mount-product-files.sh' }] }
  return JSON.stringify(spec)
}

const containerdConfig = (kindModule: string): string =>
  readFileSync(join(kindModule, 'images/base/files/etc/containerd/config.toml'), 'utf8')
    .replace(/^ {2}sandbox_image = .*$/m, `  sandbox_image = "localhost/pause:${tags('pause')}"`)
    // Lowering a score needs CAP_SYS_RESOURCE, which not every machine gives its root.
    .replace('restrict_oom_score_adj = false', 'restrict_oom_score_adj = true')

const nodeLayer = async (work: string, from: Sources): Promise<Layer> => {
  const folder = join(work, 'node')
  const { system, binaries, controlPlane, kindModule } = from
  mkdirSync(folder)
  // Files of a Go module are read-only, and none is executable.
  await must('cp', ['-r', '--no-preserve=mode', `${join(kindModule, 'images/base/files')}/.`, folder])
  await must('chmod', ['-R', 'a+x', join(folder, 'kind/bin'), join(folder, 'usr/local/bin')])
  copy(join(binaries, 'kubelet'), folder, 'usr/bin/kubelet')
  copy(join(binaries, 'kubeadm'), folder, 'usr/bin/kubeadm')
  copy(join(controlPlane, 'kubectl'), folder, 'usr/bin/kubectl')
  await controlPlaneImages(join(work, 'images'), join(folder, 'kind/images'), from)
  put(folder, 'kind/version', tags('kube-apiserver'))
  put(folder, 'kind/manifests/default-storage.yaml', storage)
  put(folder, 'etc/cni/net.d/10-pods.conflist', JSON.stringify(network))
  put(folder, 'etc/containerd/cri-base.json', await containerSpec(system))
  put(folder, 'etc/containerd/config.toml', containerdConfig(kindModule))
  const importImages =
    'for one in /kind/images/*.tar; do [ ! -e $one ] || { ctr -n k8s.io images import $one && rm $one; }; done'
  put(
    folder,
    'etc/systemd/system/containerd.service.d/10-images.conf',
    `[Service]\nExecStartPost=/bin/sh -c "${importImages}"\n`,
  )
  for (const name of ['containerd', 'ctr', 'containerd-shim-runc-v2'])
    link(`/usr/bin/${name}`, folder, `usr/local/bin/${name}`)
  link('/usr/sbin/runc', folder, 'usr/local/sbin/runc')
  link('/usr/lib/cni', folder, 'opt/cni/bin')
  for (const unit of ['kubelet', 'containerd', 'undo-mount-hacks'].map((name) => `${name}.service`)) {
    link(`/etc/systemd/system/${unit}`, folder, `etc/systemd/system/multi-user.target.wants/${unit}`)
  }
  // It would register formats with the kernel, which all containers share.
  link('/dev/null', folder, 'etc/systemd/system/systemd-binfmt.service')
  mkdirSync(join(folder, 'etc/kubernetes/manifests'), { recursive: true })
  return { folder, owner: '0:0' }
}

const main = async (store: string, from: Sources): Promise<void> => {
  const work = mkdtempSync(join(kindCache(), 'node-image-'))
  try {
    const layout = join(work, 'layout')
    await writeLayout(layout, {
      name: `localhost/node:${tags('kube-apiserver')}`,
      layers: [{ folder: from.system }, await nodeLayer(work, from)],
      config: {
        Entrypoint: ['/usr/local/bin/entrypoint', '/sbin/init'],
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'container=docker'],
        StopSignal: 'SIGRTMIN+3',
      },
    })
    const box = await Box.start(from.system)
    try {
      const podman = ['--root', store, '--storage-driver', 'overlay']
      // podman makes a name of the path, which must not have capitals.
      await box.run('ln', ['-s', layout, '/layout'])
      const { stdout } = await box.run('podman', [...podman, 'pull', '--quiet', 'oci:/layout'])
      await box.run('podman', [...podman, 'tag', basename(stdout.trim()), `localhost/node:${tags('kube-apiserver')}`])
    } finally {
      await box.stop()
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

const [store, system, binaries, controlPlane, kindModule] = process.argv.slice(2)
if (!store || !system || !binaries || !controlPlane || !kindModule) throw new Error('five folders are wanted')
await main(store, { system, binaries, controlPlane, kindModule })
