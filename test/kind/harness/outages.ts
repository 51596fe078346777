/**
 * Times in which a refused request says nothing of the operator's rights: an API server that has just started knows no roles for a
 * moment, and helm takes the roles away while the pods are still ending. Milliseconds since the epoch.
 */
import type { Connection } from '../../controlplane/harness/connection.ts'
import { eventually, must } from '../../controlplane/harness/process.ts'
import type { ClusterInfo } from './cluster-info.ts'

export interface Outage {
  readonly since: number
  readonly until: number
}

const all: Outage[] = []

export const outages = (): readonly Outage[] => all

export const during = async <R>(work: () => Promise<R>): Promise<R> => {
  const since = Date.now()
  try {
    return await work()
  } finally {
    all.push({ since, until: Date.now() })
  }
}

const patience = { timeoutMs: 300_000, everyMs: 500 }
const apiServer = (plane: Connection): Promise<boolean> =>
  eventually('the API server', async () => (await plane.kubectl(['get', '--raw', '/readyz'])).code === 0, patience)

const inNode = async ({ inNode: prefix = [] }: ClusterInfo, script: string): Promise<string> => {
  const [command = '', ...args] = prefix
  return (await must(command, [...args, 'sh', '-ec', script])).stdout.trim()
}

/** Kills it as the kernel does that has no memory left; kubelet starts it again. */
export const killApiServer = (plane: Connection, info: ClusterInfo): Promise<boolean> =>
  during(async () => {
    await inNode(info, 'kill -9 $(pgrep -x kube-apiserver)')
    return apiServer(plane)
  })

/** With a further flag: kubelet starts it anew when its manifest has changed. */
export const restartApiServerWith = (plane: Connection, info: ClusterInfo, flag: string): Promise<boolean> =>
  during(async () => {
    const manifest = '/etc/kubernetes/manifests/kube-apiserver.yaml'
    const changed = `sed 's/^    - kube-apiserver$/&\\n    - ${flag}/' ${manifest} >/tmp/changed`
    // Not in place: kubelet reads every file of that folder. It would give the former one half a minute to end.
    await inNode(info, `${changed}; cp /tmp/changed ${manifest}; sleep 3; pkill -9 -x kube-apiserver || :`)
    const runs = async () => (await inNode(info, `pgrep -f '[k]ube-apiserver .*${flag}' || :`)) !== ''
    await eventually('an API server with that flag', runs, patience)
    return apiServer(plane)
  })

/** As somebody pulls the plug of the machine and puts it in again. */
export const restartNode = (plane: Connection, { restartNode: command = [] }: ClusterInfo): Promise<boolean> =>
  during(async () => {
    const [program = '', ...args] = command
    await must(program, args)
    return apiServer(plane)
  })
