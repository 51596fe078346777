/** `dbtls render`: everything in a set of manifests, once. */
import { keyOf } from '../../cluster/port.ts'
import type { KubeObject } from '../../cluster/port.ts'
import { marks } from '../../control/context.ts'
import { configMaps, secrets } from '../../resources/core.ts'
import { group } from '../../resources/kind.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { Clock } from '../../runtime/clock.ts'
import { createLogger } from '../../runtime/log.ts'
import type { LogLevel } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { exportedConfigMap, exportedSecret, isExported } from './exported.ts'
import { CommandError, exitCodeOf } from '../shared/failures.ts'
import { inParallel } from '../shared/in-parallel.ts'
import { Journal, named } from './journal.ts'
import { applyManifests } from './manifest-folder.ts'
import { identityOf, problemText, readManifests } from './manifests.ts'
import type { Manifest, Problem } from './manifests.ts'
import { namespaceList, parseOptions, UsageError, wholeNumber } from '../shared/options.ts'
import { makeOutput, OutputFolder } from './output.ts'
import type { Readiness } from '../shared/readiness.ts'
import { readinessOf, warningsOf } from '../shared/readiness.ts'
import { Session } from './session.ts'
import type { Io, Main } from '../shared/io.ts'
import { manifestManager, withdraw } from './withdraw.ts'
import { writeYaml } from './yaml-output.ts'

const usage = `usage: dbtls render -f FILE… --out DIR [options]

Makes everything the manifests ask for, once, and ends when all of it is Ready.

  -f, --filename FILE       a manifest or a folder of manifests; may be repeated
  --out DIR                 where the Secrets and ConfigMaps go
  --format files|yaml       OUT/<namespace>/secret/<name>/<key>, or OUT/<namespace>/secret/<name>.yaml (default: files)
  --state DIR               keep objects and keys there: a second render issues nothing anew. Without it everything is
                            made afresh and only what is in OUT remains
  --prune                   with --state: remove what a former render applied and -f no longer names
  --include-authority-keys  write the private keys of CAs, too
  --namespaces A,B          work on these namespaces only (default: all)
  --workers N               certificates worked on at the same time (default: 16)
  --timeout SECONDS         give up after this long (default: 60)
  --log-level LEVEL         debug, info, warn, error, silent (default: warn)
  --help                    this text

Exit codes: 0 all is Ready, 1 something is not, or a revocation list is missing (reasons on stderr), 2 wrong usage.
`

const flags = {
  filename: { type: 'string', short: 'f', multiple: true },
  out: { type: 'string' },
  format: { type: 'string', default: 'files' },
  state: { type: 'string' },
  prune: { type: 'boolean', default: false },
  'include-authority-keys': { type: 'boolean', default: false },
  namespaces: { type: 'string' },
  workers: { type: 'string', default: '16' },
  timeout: { type: 'string', default: '60' },
  'log-level': { type: 'string', default: 'warn' },
} as const

interface Settings {
  readonly files: readonly string[]
  readonly out: string
  readonly format: 'files' | 'yaml'
  readonly state: string | undefined
  readonly prune: boolean
  readonly includeAuthorityKeys: boolean
  readonly namespaces: readonly string[] | undefined
  readonly workers: number
  readonly timeoutMs: number
  readonly logLevel: LogLevel
}

export const main: Main = async (args, io) => {
  const options = parseOptions('render', usage, flags, args, io)
  if (typeof options === 'number') return options
  try {
    const { filename: files = [], format, out, prune = false, state } = options
    if (files.length === 0) throw new UsageError('name at least one manifest with -f')
    if (out === undefined) throw new UsageError('name the folder for the Secrets with --out')
    if (format !== 'files' && format !== 'yaml')
      throw new UsageError(`--format is files or yaml, not "${String(format)}"`)
    if (prune && state === undefined)
      throw new UsageError('--prune needs --state: without it nothing is there to remove')
    return await render(
      {
        files,
        out,
        format,
        state,
        prune,
        includeAuthorityKeys: options['include-authority-keys'] ?? false,
        namespaces: namespaceList(options.namespaces),
        workers: wholeNumber('workers', options.workers, 1, 1000),
        timeoutMs: wholeNumber('timeout', options.timeout, 1, 86_400) * 1000,
        logLevel: (options['log-level'] ?? 'warn') as LogLevel,
      },
      io,
    )
  } catch (error) {
    return exitCodeOf(error, 'render', io.stderr)
  }
}

const render = async (settings: Settings, io: Io): Promise<number> => {
  const journal = new Journal(io).quiet()
  const read = await readManifests(settings.files)
  for (const warning of read.warnings) journal.problem('skipped', problemText(warning))
  if (read.problems.length > 0) return refuse(journal, read.problems)
  if (read.manifests.length === 0) throw new CommandError(`no manifests in ${settings.files.join(', ')}`)
  const clock = systemClock()
  const session = new Session({
    state: settings.state,
    clock,
    log: createLogger({ level: settings.logLevel, format: 'text' }),
    metrics: createMetrics(),
    workers: settings.workers,
    namespaces: settings.namespaces,
    events: journal.events,
    isLastPass: true,
  })
  try {
    await session.start()
    return await fill(session, settings, read.manifests, clock, journal)
  } finally {
    await session.stop()
  }
}

const refuse = (journal: Journal, problems: readonly Problem[]): number => {
  for (const problem of problems) journal.problem('refused', problemText(problem))
  return 1
}

const fill = async (
  session: Session,
  settings: Settings,
  manifests: readonly Manifest[],
  clock: Clock,
  journal: Journal,
): Promise<number> => {
  const { applied, problems } = await applyManifests(session.cluster, manifests)
  if (problems.length > 0) return refuse(journal, problems)
  // Before anything is issued that could not be handed out.
  await makeOutput(settings.out)
  if (settings.prune) await prune(session, manifests, journal)
  const wanted = applied.map(({ object }) => object).filter(({ apiVersion }) => apiVersion.startsWith(`${group}/`))
  await settle(session, wanted, settings.timeoutMs, clock, journal)
  await keepLedgers(session, settings.timeoutMs, clock)
  const unready = unreadyOf(session, wanted)
  for (const { object, state, reason, message } of unready)
    journal.problem(state === 'Stalled' ? 'stalled' : 'not ready', `${named(object)}: ${reason}: ${message}`)
  const warnings = wanted.flatMap((object) =>
    warningsOf(presentState(session, object).object).map((warning) => ({ ...warning, object })),
  )
  for (const { object, reason, message } of warnings)
    journal.problem('warning', `${named(object)}: ${reason}: ${message}`)
  const wrong = await verifyAll(session, journal)
  const written = await write(session, settings, clock)
  journal.end()
  const made = journal.count('issued') + journal.count('renewed')
  journal.line(
    'rendered',
    `${written} object${written === 1 ? '' : 's'} to ${settings.out}; ${made} certificate${made === 1 ? '' : 's'} issued` +
      (wrong.verified.length > 0 ? ` (verified: ${wrong.verified.join(', ')})` : ''),
  )
  if (settings.state === undefined && !settings.includeAuthorityKeys)
    journal.problem('note', 'without --state the keys of the CAs are gone now: the next render makes new CAs')
  return unready.length > 0 || warnings.length > 0 || wrong.problems > 0 ? 1 : 0
}

/** Nothing due, and nothing moved for this long: what is not Ready now waits for something that will not come. */
const quietMs = 2000
const lookMs = 20

/** Waits until everything wanted is Ready, or cannot become so. */
const settle = async (
  session: Session,
  wanted: readonly KubeObject[],
  timeoutMs: number,
  clock: Clock,
  journal: Journal,
): Promise<void> => {
  const end = clock.monotonic() + timeoutMs
  let moved = clock.monotonic()
  let before = -1
  let idleLooks = 0
  for (;;) {
    await clock.sleep(lookMs)
    const now = clock.monotonic()
    const unready = unreadyOf(session, wanted)
    journal.progress(`${wanted.length - unready.length} of ${wanted.length} ready`)
    const { pending } = session.operator
    // Twice, because a change takes a moment from the store to the queue.
    idleLooks = pending === 0 ? idleLooks + 1 : 0
    if (unready.length === 0 && idleLooks >= 2) return
    if (unready.length !== before || pending > 0) moved = now
    before = unready.length
    const hopeless = unready.every(({ state }) => state === 'Stalled') && idleLooks >= 10
    if (hopeless || now - moved > quietMs || now > end) return
  }
}

/**
 * Nobody is there when the next pass over a ledger would be due. What was replaced, has ended or lost its holder is marked,
 * revoked and pruned first, then the lists follow, and what holds a list.
 */
const keepLedgers = async ({ operator }: Session, timeoutMs: number, clock: Clock): Promise<void> => {
  const end = clock.monotonic() + timeoutMs
  for (const what of ['passes', 'lists'] as const) {
    operator.bringForward(what)
    for (let idleLooks = 0; idleLooks < 2 && clock.monotonic() < end;) {
      await clock.sleep(lookMs)
      idleLooks = operator.pending === 0 ? idleLooks + 1 : 0
    }
  }
}

const unreadyOf = (session: Session, wanted: readonly KubeObject[]): Readiness[] =>
  wanted.map((object) => presentState(session, object)).filter(({ state }) => state !== 'Ready')

/** As the caches have it, once they have the state that was applied. */
const presentState = ({ operator }: Session, applied: KubeObject): Readiness => {
  const { authorities, certificates, profiles } = operator.caches
  const stores = { CertificateAuthority: authorities, DatabaseCertificate: certificates, DatabaseTLSProfile: profiles }
  const informer = Object.entries(stores).find(([kind]) => kind === applied.kind)?.[1]
  const object = informer?.store.get(keyOf(applied))
  // An IssuedCertificate has no conditions: applied is all it can be.
  if (!informer) return { object: applied, state: 'Ready', reason: 'Ready', message: '' }
  const current = (object?.metadata.generation ?? 0) >= (applied.metadata.generation ?? 0)
  return readinessOf(object && current ? object : applied)
}

const prune = async ({ cluster }: Session, manifests: readonly Manifest[], journal: Journal): Promise<void> => {
  const kept = new Set(manifests.map(({ object }) => identityOf(object)))
  for (const one of cluster.appliedBy(manifestManager)) {
    const { object } = one
    if (kept.has(identityOf(object)) || object.kind === 'Namespace') continue
    const done = await withdraw(cluster, one)
    if (done.state === 'removed') journal.line('removed', named(object))
    else journal.line('note', done.why)
  }
}

/** Opening a keystore costs milliseconds on the thread pool. */
const verifyWidth = 4

const verifyAll = async (session: Session, journal: Journal) => {
  const verified = new Set<string>()
  let problems = 0
  const certificates = [...session.operator.caches.certificates.store.values()]
  await inParallel(certificates, verifyWidth, async (certificate) => {
    if (readinessOf(certificate).state !== 'Ready') return
    const verdict = await session.verify(certificate)
    for (const check of verdict.verified) verified.add(check)
    for (const problem of verdict.problems) journal.problem('wrong', `${named(certificate)}: ${problem}`)
    problems += verdict.problems.length
  })
  return { verified: [...verified], problems }
}

/** Objects written at the same time: their files wait for the disk, not for the processor. */
const fileWidth = 16

const write = async ({ cluster }: Session, settings: Settings, clock: Clock): Promise<number> => {
  const { format, includeAuthorityKeys, namespaces, out } = settings
  const selected = { labelSelector: `${marks.managedBy}=${marks.managedByValue}` }
  const inScope = (object: KubeObject): boolean =>
    isExported(object) && (namespaces?.includes(object.metadata.namespace ?? '') ?? true)
  const managedSecrets = (await cluster.list(secrets, selected)).items.filter(inScope)
  const managedMaps = (await cluster.list(configMaps, selected)).items.filter(inScope)
  const outputs = [
    ...managedSecrets.map((object) => ({ object, output: exportedSecret(object, includeAuthorityKeys) })),
    ...managedMaps.map((object) => ({ object, output: exportedConfigMap(object) })),
  ]
  if (format === 'yaml') {
    await inParallel(outputs, fileWidth, ({ object, output }) => writeYaml(out, object, output))
    return outputs.length
  }
  const folder = new OutputFolder(out, () => clock.now().toString(36))
  await inParallel(outputs, fileWidth, ({ output }) => folder.write(output))
  await folder.keepOnly(new Set(outputs.map(({ output }) => folder.pathOf(output))))
  return outputs.length
}
