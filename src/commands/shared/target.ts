/**
 * What a verb works on: a Kubernetes cluster (kubeconfig) or the state folder of `dbtls run` and `render`. Both are the
 * same port, so a verb is written once.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { EmbeddedCluster } from '../../cluster/embedded/cluster.ts'
import { StateInUse } from '../../cluster/embedded/storage.ts'
import { ApiError } from '../../cluster/errors.ts'
import { ConfigError } from '../../cluster/kubernetes/cluster-config.ts'
import { KubernetesCluster } from '../../cluster/kubernetes/client.ts'
import { loadClusterConfig } from '../../cluster/kubernetes/config.ts'
import type { Cluster } from '../../cluster/port.ts'
import { systemClock, type Clock } from '../../runtime/clock.ts'
import { version } from '../../version.ts'
import { embeddedKinds } from './embedded-kinds.ts'
import { CommandError, exitCodeOf } from './failures.ts'
import type { Io, Main } from './io.ts'
import { type Flags, namespaceName, parseArguments, UsageError, type Values } from './options.ts'

/** Flags of every verb that works on objects; spread them into the verb's own. */
export const targetFlags = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string', short: 'n' },
  state: { type: 'string' },
} as const

export const allNamespacesFlag = { 'all-namespaces': { type: 'boolean', short: 'A', default: false } } as const

/** Their lines in a verb's `--help`. */
export const targetUsage = `  --state DIR               work on the state folder of dbtls run or render instead of a cluster
  --kubeconfig FILE         default: $KUBECONFIG, the pod's ServiceAccount, ~/.kube/config
  --context NAME            context of the kubeconfig
  -n, --namespace NS        default: the context's namespace; default with --state
`
export const allNamespacesUsage = `  -A, --all-namespaces      all namespaces
`

export interface TargetOptions {
  readonly kubeconfig?: string | undefined
  readonly context?: string | undefined
  readonly namespace?: string | undefined
  readonly state?: string | undefined
  readonly 'all-namespaces'?: boolean | undefined
}

export interface Target {
  readonly cluster: Cluster
  /** Of names that bring none along: `-n`, else the kubeconfig's, else `default`. */
  readonly namespace: string
  /** What a listing asks for: undefined with `--all-namespaces`. */
  readonly scope: string | undefined
  /** Whether controllers act on it while the verb waits: never on a state folder, which one process holds at a time. */
  readonly live: boolean
  readonly clock: Clock
  close(): void
}

export interface TargetSettings {
  readonly clock?: Clock
  /** A state folder that does not exist yet is made. */
  readonly create?: boolean
  /** How long another process may go on with the state folder, ms, and who is told when it has to be waited for. Default: not at all. */
  readonly patience?: { readonly ms: number; readonly onWait: (message: string) => void }
}

/**
 * Rejects with UsageError for flags that contradict each other, CommandError for a state that is missing or in use, and
 * ConfigError for a kubeconfig that cannot be read.
 */
export const openTarget = async (
  options: TargetOptions,
  { env }: Pick<Io, 'env'>,
  { clock = systemClock(), create = false, patience }: TargetSettings = {},
): Promise<Target> => {
  const all = options['all-namespaces'] === true
  if (all && options.namespace !== undefined)
    throw new UsageError('--namespace and --all-namespaces exclude each other')
  const asked = options.namespace === undefined ? undefined : namespaceName('namespace', options.namespace)
  const scoped = (namespace: string) => ({ namespace, scope: all ? undefined : namespace, clock })
  const { state, kubeconfig, context } = options
  if (state !== undefined) {
    if (kubeconfig !== undefined || context !== undefined)
      throw new UsageError('--state works without a cluster: leave out --kubeconfig and --context')
    const cluster = await openState(state, create, clock, patience)
    return { ...scoped(asked ?? 'default'), cluster, live: false, close: () => cluster.close() }
  }
  const config = await loadClusterConfig({ env, clock, kubeconfig, context })
  const cluster = new KubernetesCluster({ config, clock, version: version() })
  return { ...scoped(asked ?? config.namespace), cluster, live: true, close: () => cluster.close() }
}

const openState = async (
  directory: string,
  create: boolean,
  clock: Clock,
  patience: TargetSettings['patience'],
): Promise<EmbeddedCluster> => {
  // A folder that is spelled wrong must not become an empty state in which nothing is found.
  if (!create && !existsSync(join(directory, 'state.sqlite')))
    throw new CommandError(`there is no state in ${directory}: name the folder given to dbtls run or render as --state`)
  const end = clock.monotonic() + (patience?.ms ?? 0)
  for (let told = false; ; told = true) {
    try {
      return new EmbeddedCluster({ directory, kinds: embeddedKinds(), clock })
    } catch (error) {
      if (!(error instanceof StateInUse)) throw error
      const inUse = error.message.replace(/: stop that one first.*$/, '')
      if (clock.monotonic() >= end)
        throw new CommandError(
          `${inUse}: stop it, give this command again, then start it again; it goes on where it was`,
          { cause: error },
        )
      if (!told) patience?.onWait(inUse)
      await clock.sleep(lookAgainMs)
    }
  }
}

/** Another verb is done in a moment. */
const lookAgainMs = 50

/** Runs a verb on its target and closes it. What the cluster or its configuration refuses becomes a sentence and exit code 1. */
export const withTarget = async (
  verb: string,
  options: TargetOptions,
  io: Io,
  work: (target: Target) => Promise<number>,
  settings: TargetSettings = {},
): Promise<number> => {
  try {
    const target = await openTarget(options, io, settings)
    try {
      return await work(target)
    } finally {
      target.close()
    }
  } catch (error) {
    return exitCodeOf(explained(error), verb, io.stderr)
  }
}

/** A verb of flags and words that works on a target, which is opened for it and closed. */
export const targetVerb =
  <F extends Flags & typeof targetFlags>(
    verb: string,
    usage: string,
    flags: F,
    work: (target: Target, values: Values<F>, words: readonly string[], io: Io) => Promise<number>,
    settingsOf: (values: Values<F>, io: Io) => TargetSettings = () => ({}),
  ): Main =>
  async (args, io) => {
    const parsed = parseArguments(verb, usage, flags, args, io)
    if (typeof parsed === 'number') return parsed
    const { values, words } = parsed
    return withTarget(
      verb,
      values as TargetOptions,
      io,
      (target) => work(target, values, words, io),
      settingsOf(values, io),
    )
  }

const explained = (error: unknown): unknown => {
  if (error instanceof ConfigError) return new CommandError(error.message, { cause: error })
  if (!(error instanceof ApiError)) return error
  return new CommandError(apiErrorText(error), { cause: error })
}

/** What a cluster said, with what a person can do about it where the message does not say so itself. */
export const apiErrorText = (error: ApiError): string => {
  if (error.status === 0) return `the cluster does not answer: ${error.message}`
  if (error.status === 401)
    return 'the cluster does not accept the credentials of the kubeconfig; they may have expired: sign in again'
  if (error.status === 403) return `the cluster forbids it: ${error.message}`
  if (error.status === 404 && /could not find the requested resource|page not found/.test(error.message))
    return "the cluster does not know dbtls's kinds: install the chart first"
  return error.message
}

/** `[NAMESPACE/]NAME`, as kubectl does not take it but every verb here does. */
export const parseName = (
  what: string,
  text: string | undefined,
  namespace: string,
): { readonly namespace: string; readonly name: string } => {
  const [first, second, ...more] = (text ?? '').split('/')
  const [where, name] = second === undefined ? [namespace, first] : [first, second]
  if (name === undefined || !objectNameForm.test(name) || more.length > 0)
    throw new UsageError(`${what} is [NAMESPACE/]NAME, not "${text ?? ''}"`)
  return { namespace: namespaceName(what, where ?? ''), name }
}

/** RFC 1123 subdomain, as objects are named. */
const objectNameForm = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
