/** What a person does after the manifests are written, in an order in which the two never fight for a Secret. Pure. */

import type { KubeObject } from '../../cluster/port.ts'
import { type Found, titleOf } from './inventory.ts'
import type { Migration, Written } from './plan.ts'

/** Lines; `apply` says where the manifests are, `requests` which CertificateRequests a Certificate (by its title) has. */
export const stepsFor = (
  migration: Migration,
  apply: string,
  requests: ReadonlyMap<string, readonly string[]> = new Map(),
): readonly string[] => {
  const { authorities, certificates, notes } = migration
  if (authorities.length + certificates.length === 0) return []
  const replaced = [...certificates, ...authorities].flatMap(({ from }) => from)
  const leaving = replaced.filter(({ kind }) => kind === 'Certificate')
  const passwords = notes.some(({ field }) => /^spec\.keystores\.(jks|pkcs12)\.password$/.test(field))
  const steps: (readonly string[])[] = [
    ...(passwords ? [['Make the Secrets of the keystore passwords that the notes above name.']] : []),
    ...(leaving.length === 0
      ? []
      : [
          [
            'Take the Certificates away, and leave their Secrets where they are (--cascade=orphan; from Git without pruning first).',
            'From here on cert-manager renews them no more, and what they issued stays valid:',
            ...byNamespace(
              leaving,
              (names, namespace) => `kubectl -n ${namespace} delete certificate ${names} --cascade=orphan`,
            ),
            ...requestLines(leaving, requests),
          ],
        ]),
    ...(certificates.length === 0
      ? []
      : [
          [
            'Hand the Secrets over; dbtls touches none that it did not make and that nobody offers:',
            ...secretLines(certificates),
          ],
        ]),
    ['Apply the manifests:', apply],
    [
      'See that everything is Ready, and that the serial numbers are those of before:',
      ...namespacesOf([...certificates, ...authorities]).map((namespace) => `dbtls status -n ${namespace}`),
    ],
    ...issuerSteps(replaced),
  ]
  return steps.flatMap(([title = '', ...lines], at) => [
    `${at + 1}. ${title}`,
    ...lines.map((line) => (/^(kubectl|dbtls) /.test(line) ? `     ${line}` : `   ${line}`)),
  ])
}

const issuerSteps = (replaced: readonly Found[]): (readonly string[])[] => {
  const issuers = replaced.filter(({ kind }) => kind !== 'Certificate')
  if (issuers.length === 0) return []
  const own = issuers.filter(({ kind }) => kind === 'Issuer')
  const shared = issuers.filter(({ kind }) => kind === 'ClusterIssuer').map(({ name }) => name)
  return [
    [
      'When no Certificate, Ingress or Gateway asks them for anything any more, take the issuers away, so that nothing is signed beside the ledger:',
      ...byNamespace(own, (names, namespace) => `kubectl -n ${namespace} delete issuer ${names}`),
      ...(shared.length === 0 ? [] : [`kubectl delete clusterissuer ${shared.join(' ')}`]),
    ],
  ]
}

const requestLines = (
  certificates: readonly Found[],
  requests: ReadonlyMap<string, readonly string[]>,
): readonly string[] => {
  const left = certificates.flatMap((one) =>
    (requests.get(titleOf(one)) ?? []).map((name) => ({ namespace: one.namespace, name })),
  )
  if (left.length === 0) return []
  return [
    'Their CertificateRequests are left, and under a Certificate of the same name cert-manager would issue nothing because of them:',
    ...byNamespace(left, (names, namespace) => `kubectl -n ${namespace} delete certificaterequest ${names}`),
  ]
}

const byNamespace = (
  found: readonly Pick<Found, 'namespace' | 'name'>[],
  line: (names: string, namespace: string) => string,
): string[] =>
  [...new Set(found.map(({ namespace }) => namespace))].map((namespace) =>
    line(
      found
        .filter((one) => one.namespace === namespace)
        .map(({ name }) => name)
        .join(' '),
      namespace,
    ),
  )

const secretLines = (certificates: readonly Written[]): string[] =>
  namespacesOf(certificates).map((namespace) => {
    const names = certificates
      .filter(({ object }) => namespaceOf(object) === namespace)
      .map(({ object }) => secretNameIn(object))
    return `kubectl -n ${namespace} annotate secret ${names.join(' ')} dbtls.dev/adopt=true`
  })

const namespaceOf = ({ metadata }: KubeObject): string => metadata.namespace ?? 'default'
const namespacesOf = (written: readonly Written[]): string[] => [
  ...new Set(written.map(({ object }) => namespaceOf(object))),
]

export const secretNameIn = (object: KubeObject): string =>
  (object as KubeObject & { readonly spec: { readonly secret?: { readonly name: string } } }).spec.secret?.name ?? ''

/** `Certificate data/orders, Issuer data/ca` */
export const titlesOf = ({ from }: Written): string => from.map(titleOf).join(', ')
