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

/**
 * With a further flag. kubelet looks only every ten seconds whether a former pod of a changed manifest has ended, so it is taken away
 * until its folder is.
 */
export const restartApiServerWith = (plane: Connection, info: ClusterInfo, flag: string): Promise<boolean> =>
  during(async () => {
    const manifest = '/etc/kubernetes/manifests/kube-apiserver.yaml'
    const change = `sed 's/^    - kube-apiserver$/&\\n    - ${flag}/' ${manifest} >/tmp/changed; rm ${manifest}`
    const isThere = 'ls -d /var/lib/kubelet/pods/*/containers/kube-apiserver >/dev/null 2>&1'
    // kubelet would give it half a minute to end, or has not yet seen that it is not wanted.
    const end = `for _ in $(seq 100); do ${isThere} || break; pkill -9 -x kube-apiserver || :; sleep 0.2; done`
    await inNode(info, `${change}; ${end}; cp /tmp/changed ${manifest}`)
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
