/** What the tests of a rotation share: an operator with a CA that soaks for no time, and openssl as the judge of what is delivered. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import type { Cluster } from './cluster/port.ts'
import { withVerbs } from './faults.fixture.ts'
import { certificatesOf, encodePem } from './pki/encoding/pem.ts'
import { openssl, opensslVersion } from './pki/testing.ts'
import { certificateAuthorities, type CertificateAuthority } from './resources/certificate-authority.ts'
import {
  authority,
  authorityReady,
  certificate,
  fresh,
  getAuthority,
  getSecret,
  leafOf,
  person,
  put,
  quiet,
  ready,
  text,
  until,
} from './testing.ts'

type Rotation = NonNullable<NonNullable<CertificateAuthority['status']>['rotation']>

export const noSoak = { trustSoak: '0s', dropSoak: '0s' }

/** Secrets that were written, by name and in order. */
export const counted = (cluster: Cluster, written: string[]): Cluster =>
  withVerbs(cluster, {
    apply: (async (...args: Parameters<Cluster['apply']>) => {
      const answer = await cluster.apply(...args)
      if (args[0].plural === 'secrets') written.push(args[1].metadata.name)
      return answer
    }) as Cluster['apply'],
  })

/** A root with the certificates of a server and of a client. */
export const atRest = async (spec: object = {}, rotation: object = {}) => {
  const written: string[] = []
  const running = await fresh((cluster) => counted(cluster, written))
  const { cluster, operator } = running
  await put(cluster, authority({ ...spec, rotation: { ...noSoak, ...rotation } }))
  await authorityReady(cluster)
  await put(cluster, certificate({}, 'server'))
  await put(cluster, certificate({ role: 'Client', subject: { commonName: 'app' }, dnsNames: [] }, 'client'))
  await ready(cluster, 'server')
  await ready(cluster, 'client')
  await quiet(operator)
  written.length = 0
  return Object.assign(running, { written })
}

/** As `kubectl apply` of the spec with other fields of rotation. */
export const ask = async (cluster: Cluster, rotation: object, name = 'ca'): Promise<void> => {
  const { spec, metadata } = await getAuthority(cluster, name)
  const applied = {
    ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'CertificateAuthority' },
    metadata: { name, namespace: metadata.namespace },
    spec: { ...spec, rotation: { ...spec.rotation, ...rotation } },
  }
  await cluster.apply(certificateAuthorities, applied as unknown as CertificateAuthority, person)
}

export const rotationOf = async (cluster: Cluster, name = 'ca'): Promise<Rotation> =>
  (await getAuthority(cluster, name)).status?.rotation ?? { phase: 'Idle' }

const when = (
  cluster: Cluster,
  name: string,
  what: string,
  isSo: (rotation: Rotation) => boolean,
): Promise<CertificateAuthority> => {
  let last: CertificateAuthority | undefined
  return until(`${name} to ${what}`, async () => {
    last = await getAuthority(cluster, name)
    const { rotation } = last.status ?? {}
    return rotation !== undefined && isSo(rotation) && last
  }).catch((error: unknown) => {
    throw new Error(`${name} says ${JSON.stringify([last?.status?.rotation, last?.status?.conditions])}`, {
      cause: error,
    })
  })
}

export const inPhase = (cluster: Cluster, wanted: Rotation['phase'], name = 'ca'): Promise<CertificateAuthority> =>
  when(cluster, name, `be in ${wanted}`, ({ phase }) => phase === wanted)

/** It is done with what this trigger asked for. */
export const rotated = (cluster: Cluster, wanted: string, name = 'ca'): Promise<CertificateAuthority> =>
  when(
    cluster,
    name,
    'have rotated',
    ({ phase, trigger, finishedAt }) => phase === 'Idle' && trigger === wanted && finishedAt !== undefined,
  )

export const fingerprintOf = async (cluster: Cluster, name = 'ca'): Promise<string | undefined> =>
  (await getAuthority(cluster, name)).status?.certificate?.fingerprint

/** Of the certificate in the Secret. */
export const serialOf = async (cluster: Cluster, name: string): Promise<string> =>
  leafOf(await getSecret(cluster, `${name}-tls`)).serialNumber

export interface Delivered {
  /** PEM: the leaf and what is above it. */
  readonly chain: string
  /** PEM. */
  readonly bundle: string
}

export const delivered = async (cluster: Cluster, name: string): Promise<Delivered> => {
  const secret = await getSecret(cluster, `${name}-tls`)
  return { chain: text(secret, 'tls.crt'), bundle: text(secret, 'ca.crt') }
}

const folder = mkdtempSync(join(tmpdir(), 'dbtls-rotation-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Whether openssl takes the certificate with this bundle, at this time (ms since the epoch). */
export const verifies = ({ chain }: Delivered, { bundle }: Delivered, now: number): boolean => {
  const file = (name: string, pem: string): string => {
    const path = join(folder, name)
    writeFileSync(path, pem)
    return path
  }
  const [leaf, ...above] = certificatesOf(chain).map((der) => encodePem('CERTIFICATE', der))
  const untrusted = above.length === 0 ? [] : ['-untrusted', file('above.pem', above.join(''))]
  const at = ['-attime', String(Math.floor(now / 1000))]
  try {
    openssl(['verify', ...at, '-CAfile', file('bundle.pem', bundle), ...untrusted, file('leaf.pem', leaf ?? '')])
    return true
  } catch {
    return false
  }
}

/** Every certificate that is or was delivered since the rotation began verifies under every bundle that is. */
export const allVerify = (everything: readonly Delivered[], now: number): void => {
  if (opensslVersion === undefined) return
  for (const one of everything) for (const other of everything) expect(verifies(one, other, now)).toBe(true)
}
