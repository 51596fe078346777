import { describe, expect, it } from 'vitest'
import type { Change } from '../cluster/cache/informer.ts'
import { keyOf, type KubeObject } from '../cluster/port.ts'
import type { Caches } from '../control/context.ts'
import type { CertificateAuthority } from '../resources/certificate-authority.ts'
import { wakeProfiles } from './wakes.ts'

const ca = (name: string, rotation?: object): CertificateAuthority =>
  ({
    metadata: { name, namespace: 'data', uid: name },
    spec: { source: { selfSigned: {} } },
    status: {
      certificate: { fingerprint: 'F' },
      trustBundleHash: 'T',
      ...(rotation === undefined ? {} : { rotation }),
    },
  }) as unknown as CertificateAuthority

/** CA → those right below it; each has a profile of its name. */
const world = (below: Readonly<Record<string, readonly string[]>>) => {
  let listener: (change: Change<CertificateAuthority>) => void = () => undefined
  const woken: string[] = []
  const silent = { onChange: () => undefined, store: { by: () => [], get: () => undefined } }
  const nameOf = (key: string): string => key.replace('data/', '')
  const caches = {
    authorities: {
      onChange: (one: typeof listener) => void (listener = one),
      store: {
        by: (index: string, key: string) =>
          index === 'parent' ? (below[nameOf(key)] ?? []).map((name) => ca(name)) : [],
      },
    },
    certificates: silent,
    configMaps: silent,
    namespaces: undefined,
    profiles: {
      onChange: () => undefined,
      store: {
        by: (index: string, key: string): KubeObject[] =>
          index === 'authority' ? [{ metadata: { name: `of-${nameOf(key)}`, namespace: 'data' } } as KubeObject] : [],
      },
    },
  } as unknown as Caches
  wakeProfiles(caches, (key) => void woken.push(nameOf(key)))
  const change = (before: CertificateAuthority, after: CertificateAuthority): readonly string[] => {
    woken.length = 0
    listener({ type: 'set', key: keyOf(after), before, after, initial: false })
    return woken.toSorted()
  }
  return change
}

const trustBoth = { phase: 'TrustBoth', mode: 'NewKey', from: 'F', to: 'N' }

describe('a profile', () => {
  it('is looked at when an intermediate comes into a phase that its servers are asked about, though no trust changes', () => {
    const change = world({ root: ['middle'], middle: ['low'] })
    expect(change(ca('middle'), ca('middle', trustBoth))).toEqual(['of-low', 'of-middle'])
  })

  it.each([
    { name: 'phase', after: { ...trustBoth, phase: 'Signing' } },
    { name: 'next CA', after: { ...trustBoth, to: 'M' } },
    { name: 'former CA', after: { ...trustBoth, from: 'E' } },
  ])('is looked at when another $name is reported', ({ after }) => {
    expect(world({})(ca('ca', trustBoth), ca('ca', after))).toEqual(['of-ca'])
  })

  it('is left alone while a rotation only says what it waits for', () => {
    const after = { ...trustBoth, message: '1 server has not proved', pending: { consumers: 1 } }
    expect(world({})(ca('ca', trustBoth), ca('ca', after))).toEqual([])
  })

  it('is looked at once where CAs stand in a circle', () => {
    expect(world({ one: ['two'], two: ['one'] })(ca('one'), ca('one', trustBoth))).toEqual(['of-one', 'of-two'])
  })
})
