/** Runs the raw loop beside an idle control plane, and tidies up behind it. */
import { fileURLToPath } from 'node:url'
import { configMaps, secrets } from '../../src/resources/core.ts'
import { databaseCertificates } from '../../src/resources/database-certificate.ts'
import { databaseTLSProfiles } from '../../src/resources/database-tls-profile.ts'
import { issuedCertificates } from '../../src/resources/issued-certificate.ts'
import { must } from '../controlplane/harness/index.ts'
import { workers } from './bench.ts'
import type { Bench } from './bench.ts'
import { certificateName } from './objects.ts'
import type { ProfileTemplate, RawJob, RawResult, Template } from './raw-loop.ts'

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

/** What the operator wrote for the profile of this name, beside its certificates. */
export const profileTemplateOf = async (
  { admin }: Bench,
  namespace: string,
  name: string,
): Promise<ProfileTemplate> => {
  const [profile, configMap] = await Promise.all([
    admin.get(databaseTLSProfiles, { namespace, name }),
    admin.get(configMaps, { namespace, name: `${name}-tls-config` }),
  ])
  return { profile, configMap }
}

/** Only while no operator runs: it would mend what this leaves half done. */
export const rawLoop = async (
  bench: Bench,
  namespace: string,
  templates: readonly Template[],
  rounds: number,
  { rsaKeys = false, profile }: Partial<Pick<RawJob, 'rsaKeys' | 'profile'>> = {},
): Promise<RawResult> => {
  const [warmUp, alone] = rsaKeys ? [20, 0] : [rounds, 50]
  await bench.namespace(namespace, { wait: false })
  const all = warmUp + rounds + alone
  if (profile === undefined) await bench.createCertificates(namespace, all)
  else await bench.createProfiles(namespace, Math.ceil(all / templates.length))
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
    profile,
  }
  const env = { ...process.env, ...bench.environment }
  const { stdout } = await must(process.execPath, [script], { stdin: JSON.stringify(job), env })
  // Owners last: then there is nothing to do for the garbage collector, which would take half a minute over it.
  const written = [issuedCertificates, secrets, configMaps, databaseCertificates, databaseTLSProfiles]
  for (const resource of written) await bench.removeAll(resource, namespace)
  await bench.plane.kubectlOk(['delete', 'namespace', namespace, '--wait'])
  return JSON.parse(stdout) as RawResult
}
