import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../cluster/port.ts'
import { stubContext } from '../control/testing.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { settledUntil } from './settled.ts'
import { policyOf } from './judge.ts'
import { everyTurn, type Turns } from './turns.ts'

const hour = 3_600_000
const start = Date.UTC(2026, 0, 1)
const readyAt = (observedGeneration: number) => [
  { type: 'Ready', status: 'True', reason: 'Issued', message: '', lastTransitionTime: '', observedGeneration },
]
type Change = Record<string, unknown>

const certificate = (change: { status?: Change; spec?: Change; metadata?: Change } = {}): DatabaseCertificate =>
  ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'DatabaseCertificate',
    metadata: { name: 'orders', namespace: 'data', uid: 'u', generation: 2, ...change.metadata },
    spec: {
      authorityRef: { name: 'ca' },
      secret: { name: 'orders-tls' },
      keystore: { passwordSecretRef: { name: 'p' } },
      ...change.spec,
    },
    status: {
      observedGeneration: 2,
      conditions: readyAt(2),
      renewAt: '2026-01-01T01:00:00Z',
      authorityFingerprint: 'f',
      trustBundleHash: 't',
      observed: { secretUid: 's', secretResourceVersion: '5', passwordResourceVersion: '6' },
      ...change.status,
    },
  }) as unknown as DatabaseCertificate

const authority = (change: Change = {}, ready = true): KubeObject =>
  ({
    metadata: { name: 'ca', namespace: 'data', generation: 1 },
    spec: { source: { selfSigned: {} } },
    status: {
      certificate: { fingerprint: 'f' },
      trustBundleHash: 't',
      conditions: ready ? readyAt(1) : [],
      ...change,
    },
  }) as unknown as KubeObject
const secret = (name: string, metadata: Change): KubeObject =>
  ({ metadata: { name, namespace: 'data', ...metadata } }) as unknown as KubeObject

const policy = { allowedDNSNames: ['*.data.svc'] }
const ruled = (ready = true): KubeObject =>
  ({ ...authority({}, ready), spec: { source: { selfSigned: {} }, policy } }) as unknown as KubeObject
const policyHash = policyOf(ruled() as never)?.hash ?? ''
const observed = { secretUid: 's', secretResourceVersion: '5', passwordResourceVersion: '6' }
const judged = (hash: string) => certificate({ status: { observed: { ...observed, policyHash: hash } } })
const requesting = (version: string) =>
  certificate({
    spec: { request: { configMapRef: { name: 'csr' } } },
    status: { observed: { ...observed, requestResourceVersion: version } },
  })
const listing = (number: string | undefined) =>
  certificate({
    spec: { secret: { name: 'orders-tls', items: [{ key: 'ca.crl', content: 'RevocationList' }] } },
    status: { observed: { ...observed, ...(number === undefined ? {} : { revocationListNumber: number }) } },
  })

interface World {
  request?: string
  entry?: string
  of?: DatabaseCertificate
  ca?: KubeObject | undefined
  tls?: KubeObject | undefined
  password?: KubeObject | undefined
  verified?: { secret: string; password: string; request: string }
  turns?: Turns
}
/** The CA that signed it has been followed by another one. */
const switched = (formerTrustBundleHash: string | undefined, from = 'f'): KubeObject =>
  authority({
    certificate: { fingerprint: 'next' },
    trustBundleHash: 'next t',
    rotation: { phase: 'Signing', from, to: 'next', formerTrustBundleHash },
  })
const noTurn: Turns = { mayMove: () => false, mayRenew: () => true }

const settled = (world: World = {}): number | undefined => {
  const { context, stores, clock } = stubContext({})
  clock.setNow(start)
  const ca = 'ca' in world ? world.ca : authority()
  const tls = 'tls' in world ? world.tls : secret('orders-tls', { uid: 's', resourceVersion: '5' })
  const password = 'password' in world ? world.password : secret('p', { resourceVersion: '6' })
  if (ca !== undefined) stores.authorities.set('data/ca', ca)
  if (tls !== undefined) stores.secrets.set('data/orders-tls', tls)
  if (password !== undefined) stores.secrets.set('data/p', password)
  if (world.request !== undefined) stores.configMaps.set('data/csr', secret('csr', { resourceVersion: world.request }))
  if (world.entry !== undefined) stores.ledger.set('data/ca-0a', { state: world.entry } as unknown as KubeObject)
  return settledUntil(context, world.of ?? certificate(), world.verified, world.turns ?? everyTurn)
}

const windowed = (timeZone: string) =>
  certificate({ spec: { rotation: { windows: [{ cron: '0 2 * * *', duration: '1h', timeZone }] } } })

describe('a certificate is settled until its renewal', () => {
  const until = start + hour
  const moved = { tls: secret('orders-tls', { uid: 's', resourceVersion: '9' }) }
  it.each<{ name: string; world: World }>([
    { name: 'when caches show what status says', world: {} },
    { name: 'when it has windows', world: { of: windowed('Europe/Berlin') } },
    {
      name: 'when it begins a little ahead',
      world: { of: certificate({ status: { notBefore: '2026-01-01T00:10:00Z' } }) },
    },
    { name: 'when its CA is in trouble', world: { ca: authority({ certificate: { fingerprint: 'x' } }, false) } },
    {
      name: 'when a later version of its Secret was verified',
      world: { ...moved, verified: { secret: '9', password: '6', request: '' } },
    },
    {
      name: 'when a later version of its password was verified',
      world: { password: secret('p', { resourceVersion: '8' }), verified: { secret: '5', password: '8', request: '' } },
    },
    {
      name: 'when it has no password',
      world: { of: certificate({ spec: { keystore: undefined } }), password: undefined },
    },
    { name: 'when it was judged under the policy', world: { of: judged(policyHash), ca: ruled() } },
    { name: 'when its CA in trouble has another policy', world: { ca: ruled(false) } },
    { name: 'when its request is the same', world: { of: requesting('7'), request: '7' } },
    { name: 'when its request was gone before', world: { of: requesting('') } },
    {
      name: 'when a later version of its request was verified',
      world: { of: requesting('7'), request: '8', verified: { secret: '5', password: '6', request: '8' } },
    },
    {
      name: 'when the revocation list is the same',
      world: { of: listing('2'), ca: authority({ crl: { number: 2 } }) },
    },
    { name: 'when a list is of no concern to it', world: { ca: authority({ crl: { number: 2 } }) } },
    {
      name: 'when the ledger has it',
      world: { of: certificate({ status: { serialNumber: '0A' } }), entry: 'Valid' },
    },
    { name: 'when its CA was followed by another one', world: { ca: switched('t'), turns: noTurn } },
    {
      name: 'when it has the roots in the order of the present CA',
      world: { of: certificate({ status: { trustBundleHash: 'next t' } }), ca: switched('t'), turns: noTurn },
    },
  ])('$name', ({ world }) => {
    expect(settled(world)).toBe(until)
  })

  it.each<{ name: string; world: World }>([
    { name: 'it was never told', world: { of: { ...certificate(), status: undefined } as never } },
    { name: 'its spec has changed', world: { of: certificate({ metadata: { generation: 3 } }) } },
    { name: 'it is not Ready', world: { of: certificate({ status: { conditions: [] } }) } },
    { name: 'it was Ready for an earlier spec', world: { of: certificate({ status: { conditions: readyAt(1) } }) } },
    { name: 'it is due', world: { of: certificate({ status: { renewAt: '2026-01-01T00:00:00Z' } }) } },
    { name: 'it begins far ahead', world: { of: certificate({ status: { notBefore: '2026-01-01T00:10:01Z' } }) } },
    { name: 'nobody knows when it is due', world: { of: certificate({ status: { renewAt: undefined } }) } },
    { name: 'a window of it cannot be read', world: { of: windowed('Europe/Atlantis') } },
    { name: 'its CA is gone', world: { ca: undefined } },
    { name: 'its CA has another certificate', world: { ca: authority({ certificate: { fingerprint: 'x' } }) } },
    { name: 'its CA has other roots', world: { ca: authority({ trustBundleHash: 'x' }) } },
    {
      name: 'its CA is of a namespace that does not share it',
      world: { of: certificate({ spec: { authorityRef: { name: 'ca', namespace: 'pki' } } }) },
    },
    {
      name: 'its trigger has changed by annotation',
      world: { of: certificate({ metadata: { annotations: { 'dbtls.dev/renew-trigger': 'now' } } }) },
    },
    { name: 'its CA has a policy that it was not judged under', world: { ca: ruled() } },
    { name: 'its CA has no policy any more', world: { of: judged('x') } },
    { name: 'its request is gone', world: { of: requesting('7') } },
    { name: 'its request has changed', world: { of: requesting('7'), request: '8' } },
    { name: 'there is another revocation list', world: { of: listing('1'), ca: authority({ crl: { number: 2 } }) } },
    {
      name: 'there is a first revocation list',
      world: { of: listing(undefined), ca: authority({ crl: { number: 1 } }) },
    },
    { name: 'it was revoked', world: { of: certificate({ status: { serialNumber: '0A' } }), entry: 'Revoked' } },
    { name: 'its Secret is gone', world: { tls: undefined } },
    { name: 'its Secret has changed', world: moved },
    { name: 'its Secret is another', world: { tls: secret('orders-tls', { uid: 'x', resourceVersion: '5' }) } },
    { name: 'its password is gone', world: { password: undefined } },
    { name: 'its password has changed', world: { password: secret('p', { resourceVersion: '8' }) } },
    {
      name: 'what was verified is another version',
      world: { ...moved, verified: { secret: '8', password: '6', request: '' } },
    },
    {
      name: 'another Secret was verified under that version',
      world: {
        tls: secret('orders-tls', { uid: 'x', resourceVersion: '9' }),
        verified: { secret: '9', password: '6', request: '' },
      },
    },
    { name: 'its turn in a rotation has come', world: { ca: switched('t') } },
    { name: 'it has other roots than those of the former CA', world: { ca: switched('x'), turns: noTurn } },
    { name: 'it is of a CA before the former one', world: { ca: switched('t', 'x'), turns: noTurn } },
    { name: 'nobody trusts the former CA', world: { ca: switched(undefined), turns: noTurn } },
  ])('but not when $name', ({ world }) => {
    expect(settled(world)).toBeUndefined()
  })

  it('but not when its CA does not let its namespace in any more', () => {
    const { context, stores, clock } = stubContext({})
    clock.setNow(start)
    const of = certificate({ spec: { authorityRef: { name: 'ca', namespace: 'pki' }, keystore: undefined } })
    stores.secrets.set('data/orders-tls', secret('orders-tls', { uid: 's', resourceVersion: '5' }))
    const shared = (from: string): KubeObject =>
      ({
        ...authority(),
        metadata: { name: 'ca', namespace: 'pki', generation: 1 },
        spec: { source: { selfSigned: {} }, allowedNamespaces: { from } },
      }) as never
    stores.authorities.set('pki/ca', shared('All'))
    expect(settledUntil(context, of, undefined, everyTurn)).toBe(until)
    stores.authorities.set('pki/ca', shared('Same'))
    expect(settledUntil(context, of, undefined, everyTurn)).toBeUndefined()
  })
})
