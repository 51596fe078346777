/** The manifests of the benchmark: what a user would write, no more. */
import type { KubeObject } from '../../src/cluster/port.ts'
import type { CertificateAuthority } from '../../src/resources/certificate-authority.ts'
import type { DatabaseTLSProfile } from '../../src/resources/database-tls-profile.ts'
import type { DatabaseCertificate } from '../../src/resources/database-certificate.ts'

export type KeyAlgorithm = 'ECDSA' | 'RSA'

const resource = (kind: string, namespace: string, name: string, spec: object): KubeObject =>
  ({ apiVersion: 'dbtls.dev/v1alpha1', kind, metadata: { namespace, name }, spec }) as KubeObject

export const authorityName = 'bench-ca'

export const authority = (namespace: string): CertificateAuthority =>
  resource('CertificateAuthority', namespace, authorityName, {
    source: { selfSigned: {} },
    subject: { commonName: 'Bench CA' },
  }) as CertificateAuthority

export const certificateName = (index: number): string => `db-${String(index).padStart(5, '0')}`

/** A server certificate of the default contents: chain, key and trust bundle in PEM. */
export const certificate = (
  namespace: string,
  index: number,
  algorithm: KeyAlgorithm = 'ECDSA',
): DatabaseCertificate => {
  const name = certificateName(index)
  return resource('DatabaseCertificate', namespace, name, {
    authorityRef: { name: authorityName },
    role: 'Server',
    subject: { commonName: `${name}.${namespace}.svc` },
    dnsNames: [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`],
    privateKey: algorithm === 'RSA' ? { algorithm, size: 2048 } : { algorithm, size: 256 },
    secret: { name: `${name}-tls` },
  }) as DatabaseCertificate
}

export const certificatesOfProfile = 24

/** One server, three peers, twenty clients. */
export const profile = (namespace: string, index: number): DatabaseTLSProfile => {
  const name = `cluster-${String(index).padStart(4, '0')}`
  return resource('DatabaseTLSProfile', namespace, name, {
    engine: 'MySQL',
    authorityRef: { name: authorityName },
    topology: { services: [name] },
    components: numbers(3).map((at) => ({ name: `replica-${at}`, services: [`${name}-replica-${at}`] })),
    clients: numbers(20).map((at) => ({ name: `app-${at}` })),
  }) as DatabaseTLSProfile
}

export const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => from + index)
