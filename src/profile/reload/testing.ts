/** A profile, its servers and its operator, for tests of reloads. Not imported by the program. */

import { ApiError } from '../../cluster/errors.ts'
import { stubContext } from '../../control/testing.ts'
import type { CertificateAuthority } from '../../resources/certificate-authority.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import type { DatabaseTLSProfile } from '../../resources/database-tls-profile.ts'
import { secrets as secretKind } from '../../resources/core.ts'
import { silentLogger } from '../../runtime/log.ts'
import type { EndpointSeen, ProfileView, TrustProved } from '../collaborators.ts'
import { expand } from '../expand.ts'
import { ProfileReloads } from './reloads.ts'
import type { Came, Visit } from './server.ts'

export const key = 'data/orders'
const about = { signal: new AbortController().signal, log: silentLogger(), reconcileId: '1' }

const profileOf = (spec: object, status?: object): DatabaseTLSProfile =>
  ({
    ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseTLSProfile' },
    metadata: { name: 'orders', namespace: 'data', uid: 'u', generation: 1 },
    spec: { authorityRef: { name: 'ca' }, topology: { statefulSet: { name: 'db', replicas: 2 } }, ...spec },
    ...(status === undefined ? {} : { status }),
  }) as unknown as DatabaseTLSProfile

export const sql = { engine: 'MySQL', reload: { strategy: 'SQL', credentialsSecretRef: { name: 'admin' } } }

interface WorldOptions {
  readonly secret?: Readonly<Record<string, string>> | null
  /** The profiles that the Secret offers its account to. */
  readonly offeredTo?: string
  readonly status?: object
}

export const world = (spec: object, options: WorldOptions = {}) => {
  const { secret = { username: 'root', password: 'geheim' }, status } = options
  let { offeredTo = 'orders' } = options
  const woken: string[] = []
  const queued: string[] = []
  const visits: Visit[] = []
  const logins: string[] = []
  const get = (resource: unknown): Promise<unknown> => {
    if (resource !== secretKind) return Promise.reject(new Error('unexpected read'))
    if (secret === null) return Promise.reject(new ApiError({ status: 404, reason: 'NotFound', message: 'not found' }))
    const data = Object.entries(secret).map(([name, value]) => [name, Buffer.from(value).toString('base64')])
    const metadata = { name: 'admin', annotations: { 'dbtls.dev/reload-credentials': offeredTo } }
    return Promise.resolve({ metadata, data: Object.fromEntries(data) as Record<string, string> })
  }
  const { context, stores, clock, events } = stubContext({ get })
  const profile = profileOf(spec, status)
  stores.profiles.set(key, profile)
  const authority = (name: string, reported: object = {}, source: object = { selfSigned: {} }): void =>
    void stores.authorities.set(`data/${name}`, {
      metadata: { name, namespace: 'data' },
      spec: { source },
      status: reported,
    } as unknown as CertificateAuthority)
  authority('ca')
  const expansion = expand(profile)
  let answer: (visit: Visit) => Came | Promise<Came> = () => ({ told: false, lost: false })
  const reloads = new ProfileReloads(context, {
    trustOf: () => Promise.resolve([]),
    wake: (one) => void woken.push(one),
    enqueue: (one) => void queued.push(one),
    told: (one) => void logins.push(one),
    permits: { name: (host) => ({ name: host }), refusal: () => undefined },
    visit: (visiting) => {
      visits.push(visiting)
      return Promise.resolve(answer(visiting))
    },
  })
  const certificate = (serialNumber: string, trustBundleHash = 't1') =>
    ({
      ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate' },
      metadata: { name: 'orders-server', namespace: 'data' },
      spec: { ...expansion.certificates[0]?.spec, authorityRef: { name: 'ca' } },
      status: { serialNumber, trustBundleHash, authorityFingerprint: 'CA' },
    }) as unknown as DatabaseCertificate
  const deliver = (serial: string, trust?: string): ProfileView => ({
    ...{ key, profile, expansion },
    certificates: new Map([['orders-server', certificate(serial, trust)]]),
  })
  const shown = (...serials: readonly (string | undefined)[]): readonly EndpointSeen[] =>
    expansion.endpoints.map((endpoint, index) => {
      const servedSerial = serials[index]
      return { endpoint, ...(servedSerial === undefined ? {} : { servedSerial, seenAt: clock.now() }) }
    })
  /** All show A, and these of them with the chain of a former CA. */
  const chained = (...former: readonly boolean[]): readonly EndpointSeen[] =>
    shown(...expansion.endpoints.map(() => 'A')).map((one, at) => ({ ...one, formerChain: former[at] === true }))
  /** All show A, and have proved this. */
  const proving = (trust: TrustProved | undefined): readonly EndpointSeen[] =>
    shown(...expansion.endpoints.map(() => 'A')).map((one) => ({ ...one, ...(trust === undefined ? {} : { trust }) }))
  const run = async (most = 20): Promise<void> => {
    for (let count = 0; count < most; count += 1) {
      const { requeueAfterMs } = await reloads.reconcile(key, about)
      if (requeueAfterMs === undefined || requeueAfterMs > 1) return
    }
    throw new Error('it does not come to rest')
  }
  return {
    ...{
      reloads,
      deliver,
      shown,
      chained,
      proving,
      run,
      woken,
      queued,
      visits,
      logins,
      clock,
      events,
      expansion,
      authority,
    },
    answers: (next: (visit: Visit) => Came | Promise<Came>) => void (answer = next),
    /** Which version of the account's Secret the cache has. */
    secretIs: (resourceVersion: string, offered = offeredTo) => {
      offeredTo = offered
      const metadata = { name: 'admin', namespace: 'data', uid: 'a', resourceVersion }
      stores.secrets.set('data/admin', { apiVersion: 'v1', kind: 'Secret', metadata })
    },
  }
}

export const told = (visits: readonly Visit[]) =>
  visits.flatMap(({ server, tell }) => (tell === undefined ? [] : server.address))
