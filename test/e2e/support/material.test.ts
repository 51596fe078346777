import { describe, expect, it } from 'vitest'
import { encodePem } from '../../../src/pki/encoding/pem.ts'
import type { Identity } from '../../oracles/certificates.ts'
import { makeLeaf, makeRoot, testTime } from '../../oracles/certificates.ts'
import type { LedgerThing, SecretThing } from './api.ts'
import { ledgerProblems } from './ledger.ts'
import { certificatesIn, problemsOf } from './material.ts'

const pem = ({ certificate }: Identity): string => encodePem('CERTIFICATE', certificate)
const serialIn = (text: string): string => certificatesIn(text)[0]?.serialNumber ?? ''

const root = await makeRoot('root')
const stranger = await makeRoot('root')
const [old, fresh] = [await makeLeaf('db', root), await makeLeaf('db', root)]
const whole = {
  'tls.crt': pem(fresh),
  'tls.key': encodePem('PRIVATE KEY', fresh.key.pkcs8),
  'ca.crt': pem(root),
}
const serialNumber = serialIn(whole['tls.crt'])

const secret = (data: Record<string, string>, serial = serialNumber): SecretThing => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'kubernetes.io/tls',
  metadata: {
    ...{ name: 's', namespace: 'n', uid: 'u', resourceVersion: '1' },
    annotations: { 'dbtls.dev/serial-number': serial },
  },
  data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
})

describe('the judge of Secrets', () => {
  it('finds nothing in a whole generation', async () => {
    expect(await problemsOf(secret(whole), undefined, testTime)).toEqual([])
  })

  it.each([
    {
      what: 'the key of the generation before',
      change: { 'tls.key': encodePem('PRIVATE KEY', old.key.pkcs8) },
      says: 'tls.key',
    },
    { what: 'trust in another root', change: { 'ca.crt': pem(stranger) }, says: 'does not lead to a root' },
    { what: 'no trust', change: { 'ca.crt': '' }, says: 'does not lead to a root' },
  ])('finds $what', async ({ change, says }) => {
    expect(await problemsOf(secret({ ...whole, ...change }), undefined, testTime)).toEqual([
      expect.stringContaining(says),
    ])
  })

  it('finds an annotation of the generation before, and an ended certificate', async () => {
    expect(await problemsOf(secret(whole, serialIn(pem(old))), undefined, testTime)).toHaveLength(1)
    const later = testTime + 100 * 24 * 3600 * 1000
    expect(await problemsOf(secret(whole), undefined, later)).toEqual([expect.stringContaining('ended')])
  })
})

describe('the auditor of the ledger', () => {
  const entry = (certificate: string, serial: string) =>
    ({ metadata: { name: 'e' }, spec: { certificate, serialNumber: serial } }) as unknown as LedgerThing

  it.each([
    { what: 'nothing in a good one', entries: [entry(whole['tls.crt'], serialNumber)], seen: [serialNumber], found: 0 },
    { what: 'a serial twice', entries: Array(2).fill(entry(whole['tls.crt'], serialNumber)), seen: [], found: 1 },
    { what: 'another certificate than named', entries: [entry(pem(old), serialNumber)], seen: [], found: 1 },
    { what: 'a serial that was never recorded', entries: [], seen: [serialNumber], found: 1 },
  ])('finds $what', ({ entries, seen, found }) => {
    expect(ledgerProblems(entries as LedgerThing[], seen)).toHaveLength(found)
  })
})
