/** Runs the raw loop beside an idle control plane, and tidies up behind it. */
import { fileURLToPath } from 'node:url'
import { secrets } from '../../src/resources/core.ts'
import { databaseCertificates } from '../../src/resources/database-certificate.ts'
import { issuedCertificates } from '../../src/resources/issued-certificate.ts'
import { must } from '../controlplane/harness/index.ts'
import { workers } from './bench.ts'
import type { Bench } from './bench.ts'
import { certificateName } from './objects.ts'
import type { RawJob, RawResult, Template } from './raw-loop.ts'

const script = fileURLToPath(new URL('raw-loop.ts', import.meta.url))

/** What the operator wrote for this certificate of `namespace`: as long, and as many fields, as the real thing. */
export const templateOf = async ({ admin }: Bench, namespace: string, name = certificateName(0)): Promise<Template> => {
  const certificate = await admin.get(databaseCertificates, { namespace, name })
  const serial = certificate.status?.serialNumber?.toLowerCase() ?? ''
  const [issued, secret] = await Promise.all([
    admin.get(issuedCertificates, { namespace, name: `bench-ca-${serial}` }),
    admin.get(secrets, { namespace, name: certificate.spec.secret.name }),
  ])
  return { certificate, issued, secret }
}

/** Only while no operator runs: it would mend what this leaves half done. */
export const rawLoop = async (
  bench: Bench,
  namespace: string,
  templates: readonly Template[],
  rounds: number,
  { rsaKeys = false, applies = false }: Partial<Pick<RawJob, 'rsaKeys' | 'applies'>> = {},
): Promise<RawResult> => {
  const [warmUp, alone] = rsaKeys ? [20, 0] : [rounds, 50]
  await bench.namespace(namespace, { wait: false })
  if (!applies) await bench.createCertificates(namespace, warmUp + rounds + alone)
  const { kubeconfig } = bench.chart
  const job: RawJob = {
    kubeconfig,
    namespace,
    templates,
    warmUp,
    rounds,
    concurrency: workers,
    alone,
    rsaKeys,
    applies,
  }
  const env = { ...process.env, ...bench.environment }
  const { stdout } = await must(process.execPath, [script], { stdin: JSON.stringify(job), env })
  // Owners last: then there is nothing to do for the garbage collector, which would take half a minute over it.
  for (const resource of [issuedCertificates, secrets, databaseCertificates]) await bench.removeAll(resource, namespace)
  await bench.plane.kubectlOk(['delete', 'namespace', namespace, '--wait'])
  return JSON.parse(stdout) as RawResult
}
