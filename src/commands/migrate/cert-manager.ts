/** `dbtls migrate cert-manager`: what cert-manager has, as manifests of dbtls that take its Secrets over. Nothing is changed. */

import { systemClock } from '../../runtime/clock.ts'
import { type Target, targetFlags, withTarget } from '../shared/target.ts'
import { CommandError, exitCodeOf } from '../shared/failures.ts'
import type { Io, Main } from '../shared/io.ts'
import { namespaceName, parseArguments, UsageError, type Values } from '../shared/options.ts'
import { writeProblem } from '../shared/printable.ts'
import { allNamespacesFlag } from '../shared/target.ts'
import { authoritySecretOf, type Found, secretNameOf } from './inventory.ts'
import { writeFolder, writeStream } from './output.ts'
import { planMigration } from './plan.ts'
import { judge, tell } from './report.ts'
import { readCluster, readFiles, type Reading, readSecrets } from './read.ts'
import { stepsFor } from './steps.ts'

const usage = `usage: dbtls migrate cert-manager [-f FILE]… [options]

Reads Certificates, Issuers and ClusterIssuers of cert-manager, and prints the CertificateAuthorities and DatabaseCertificates
that take their place; what has no equivalent, and what there is to do in which order, on stderr. Nothing is changed anywhere.
The Secrets stay: with the same names, keys and certificates, until these are due for renewal.

  -f, --file FILE           a manifest, a folder of manifests, or - for stdin; once or more. Without it the cluster is read
  --out DIR                 a file for each object in DIR/NAMESPACE instead of all on stdout; DIR is new or empty
  --cluster-resource-namespace NS  where the Secrets of ClusterIssuers are (default: cert-manager)
  --kubeconfig FILE         default: $KUBECONFIG, the pod's ServiceAccount, ~/.kube/config
  --context NAME            context of the kubeconfig
  -n, --namespace NS        default: the context's namespace; with -f, the namespace of objects that name none
  -A, --all-namespaces      read all namespaces
  --help                    this text

On a cluster it reads the Secrets, too, where that is allowed, and says of each certificate whether it is kept; with -f those
Secrets that are among the manifests. Keys and passwords are never printed.

Examples:
  dbtls migrate cert-manager -n data > dbtls.yaml
  dbtls migrate cert-manager -A --out manifests
  dbtls migrate cert-manager -f deploy/tls --out manifests
  helm template orders ./chart | dbtls migrate cert-manager -f - > dbtls.yaml

Exit codes: 0 done, 1 something stays with cert-manager (each reason on stderr), 2 wrong usage.
`

const { kubeconfig, context, namespace } = targetFlags
const flags = {
  file: { type: 'string', short: 'f', multiple: true },
  out: { type: 'string' },
  'cluster-resource-namespace': { type: 'string', default: 'cert-manager' },
  ...{ kubeconfig, context, namespace },
  ...allNamespacesFlag,
} as const

type Given = Values<typeof flags>

export const main: Main = async (args, io) => {
  const parsed = parseArguments('migrate cert-manager', usage, flags, args, io)
  if (typeof parsed === 'number') return parsed
  const { values, words } = parsed
  const verb = 'migrate cert-manager'
  if (values.file === undefined && words.length === 0)
    return withTarget(verb, { ...values }, io, async (target) =>
      migrate(await readLive(target, values, io), values, io),
    )
  try {
    if (words.length > 0) throw new UsageError(`name manifests with -f, not "${words[0] ?? ''}"`)
    for (const flag of ['kubeconfig', 'context', 'all-namespaces'] as const)
      if (values[flag] !== undefined && values[flag] !== false)
        throw new UsageError(`with -f no cluster is read: leave out --${flag}`)
    const where = namespaceName('namespace', values.namespace ?? 'default')
    return await migrate(await readFiles(values.file ?? [], where, () => textOfStdin(io)), values, io)
  } catch (error) {
    return exitCodeOf(error, verb, io.stderr)
  }
}

const clusterNamespaceOf = (values: Given): string =>
  namespaceName('cluster-resource-namespace', values['cluster-resource-namespace'] ?? 'cert-manager')

/** What is there, but for ClusterIssuers that nobody asks who is read, unless everybody is. */
const readLive = async ({ cluster, scope }: Target, values: Given, io: Io): Promise<Reading> => {
  const clusterNamespace = clusterNamespaceOf(values)
  const reading = await readCluster(cluster, scope)
  const asked = new Set(
    reading.found.flatMap(({ kind, object }) => (kind === 'Certificate' ? [issuerNameIn(object)] : [])),
  )
  const found = reading.found.filter(
    ({ kind, name }) => scope === undefined || kind !== 'ClusterIssuer' || asked.has(name),
  )
  const { secrets, refused } = await readSecrets(cluster, secretKeysOf(found, clusterNamespace))
  if (refused !== undefined)
    writeProblem(
      io,
      `note       Secrets could not be read, so nobody has looked whether each certificate is kept: ${refused}`,
    )
  return { ...reading, found, secrets }
}

const issuerNameIn = (certificate: unknown): string => {
  const { spec } = certificate as {
    readonly spec?: { readonly issuerRef?: { readonly kind?: unknown; readonly name?: unknown } }
  }
  const { kind, name } = spec?.issuerRef ?? {}
  return kind === 'ClusterIssuer' && typeof name === 'string' ? name : ''
}

const secretKeysOf = (found: readonly Found[], clusterNamespace: string): string[] => {
  const keys = found.map((one) =>
    one.kind === 'Certificate'
      ? `${one.namespace}/${secretNameOf(one)}`
      : `${one.kind === 'ClusterIssuer' ? clusterNamespace : one.namespace}/${authoritySecretOf(one)}`,
  )
  return [...new Set(keys.filter((key) => !key.endsWith('/')))]
}

const textOfStdin = async ({ stdin }: Io): Promise<string> => {
  if (stdin === undefined) throw new CommandError('there is no stdin to read manifests from; name a file with -f')
  const parts: Buffer[] = []
  for await (const part of stdin) parts.push(Buffer.from(part as Uint8Array | string))
  return Buffer.concat(parts).toString('utf8')
}

const migrate = async ({ found, secrets, requests, problems }: Reading, values: Given, io: Io): Promise<number> => {
  const clusterNamespace = clusterNamespaceOf(values)
  const migration = planMigration(found, { clusterNamespace, secretTypeOf: (key) => secrets.get(key)?.type })
  const verdicts = await judge(migration, secrets, systemClock().now())
  const { out } = values
  if (out === undefined) writeStream(io, migration)
  else await writeFolder(out, migration)
  tell(io, migration, verdicts, problems)
  const apply = `kubectl apply -f ${out === undefined ? 'dbtls.yaml' : `${out} --recursive`}`
  for (const line of stepsFor(migration, apply, requests)) io.stderr.write(`${line}\n`)
  if (found.length === 0) {
    writeProblem(io, 'dbtls migrate cert-manager: nothing of cert-manager was found')
    return 1
  }
  return migration.unwritten.length + problems.length === 0 ? 0 : 1
}
