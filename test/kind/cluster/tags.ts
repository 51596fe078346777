/** Tags of the images of a control plane: what kubeadm of this version asks for. */

/** As in the go.mod of modules/node. */
export const kubernetesVersion = 'v1.36.3'

const own: Readonly<Record<string, string>> = { etcd: '3.6.8-0', coredns: 'v1.14.2', pause: '3.10.2' }

export const tags = (name: string): string => own[name] ?? kubernetesVersion
