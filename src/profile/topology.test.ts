import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  commonNameOf,
  type Group,
  headroom,
  isReachable,
  loopback,
  maxDnsNames,
  type NameOptions,
  namesOfGroup,
  namesOfPod,
  TopologyError,
} from './topology.ts'

const place = { namespace: 'data', clusterDomain: 'cluster.local' }
const go: NameOptions = { bareWildcards: true, wildcards: true, kept: [] }
const openssl: NameOptions = { ...go, bareWildcards: false }
const set = (replicas: number, more: object = {}) => ({ name: 'db', headlessService: 'db-h', replicas, ...more })

const refusal = (act: () => unknown): TopologyError => {
  try {
    act()
  } catch (error) {
    if (error instanceof TopologyError) return error
    throw error
  }
  throw new Error('was accepted')
}

describe('the names of a group of servers', () => {
  it('are four forms of each service, and the loopback', () => {
    expect(namesOfGroup({ services: ['db', 'db-ro'] }, place, go)).toEqual({
      dnsNames: [
        'db',
        'db.data',
        'db.data.svc',
        'db.data.svc.cluster.local',
        'db-ro',
        'db-ro.data',
        'db-ro.data.svc',
        'db-ro.data.svc.cluster.local',
        'localhost',
      ],
      ipAddresses: ['127.0.0.1', '::1'],
    })
  })

  it('stand for pods by wildcards where every member is Go or Java', () => {
    expect(namesOfGroup({ statefulSet: set(3) }, place, go).dnsNames).toEqual([
      '*.db-h',
      '*.db-h.data',
      '*.db-h.data.svc',
      '*.db-h.data.svc.cluster.local',
      'localhost',
    ])
  })

  it('list pods with headroom where OpenSSL takes no wildcard over a single label', () => {
    const { dnsNames } = namesOfGroup({ statefulSet: set(3) }, place, openssl)
    expect(dnsNames).toContain('*.db-h')
    expect(dnsNames.filter((name) => name.startsWith('db-'))).toEqual([
      'db-0.db-h',
      'db-1.db-h',
      'db-2.db-h',
      'db-3.db-h',
    ])
  })

  it('list every form of every pod where the CA signs no wildcard', () => {
    const { dnsNames } = namesOfGroup({ statefulSet: set(1) }, place, { ...go, wildcards: false })
    expect(dnsNames.some((name) => name.includes('*'))).toBe(false)
    expect(dnsNames).toContain('db-3.db-h.data.svc.cluster.local')
  })

  it('take the name of the StatefulSet for its headless service', () => {
    const names = namesOfGroup({ statefulSet: { name: 'db', replicas: 1 } }, place, go)
    expect(names.dnsNames).toContain('*.db.data.svc')
  })

  it('hold extra names and addresses in their normal form, each once', () => {
    const group = {
      dnsNames: ['DB.Example.COM', 'db.example.com', 'localhost'],
      ipAddresses: ['2001:DB8::0:1', '127.0.0.1'],
    }
    expect(namesOfGroup(group, place, go)).toEqual({
      dnsNames: ['db.example.com', 'localhost'],
      ipAddresses: ['2001:db8::1', '127.0.0.1', '::1'],
    })
  })

  it('tell servers that nobody could reach', () => {
    expect(isReachable(namesOfGroup({}, place, go))).toBe(false)
    expect(isReachable(namesOfGroup({ services: ['db'] }, place, go))).toBe(true)
    expect(isReachable(namesOfGroup({ ipAddresses: ['192.0.2.1'] }, place, go))).toBe(true)
  })
})

describe('the names of one pod', () => {
  it('are its own and those of the services', () => {
    expect(namesOfPod({ services: ['db'], ipAddresses: ['192.0.2.1'] }, set(3), 2, place)).toEqual({
      dnsNames: [
        'db-2.db-h',
        'db-2.db-h.data',
        'db-2.db-h.data.svc',
        'db-2.db-h.data.svc.cluster.local',
        'db',
        'db.data',
        'db.data.svc',
        'db.data.svc.cluster.local',
        'localhost',
      ],
      ipAddresses: ['192.0.2.1', '127.0.0.1', '::1'],
    })
  })
})

describe('a change of replicas', () => {
  const after = (replicas: number, kept: readonly string[], more: Partial<NameOptions> = {}) =>
    namesOfGroup({ statefulSet: set(replicas) }, place, { ...openssl, ...more, kept }).dnsNames

  it('changes names only where one is missing', () => {
    const three = after(3, [])
    expect(after(4, three)).toEqual(three)
    const five = after(5, three)
    expect(five).toContain('db-7.db-h')
    expect(after(1, five)).toEqual(five)
  })

  it.each([openssl, go, { ...go, wildcards: false }])(
    'never changes them when it is undone or shrinks: %o',
    (options) => {
      const count = fc.integer({ min: 1, max: 40 })
      fc.assert(
        fc.property(count, count, (a, b) => {
          const first = after(a, [], options)
          const second = after(b, first, options)
          const named = new Set(second)
          expect(after(b, second, options)).toEqual(second)
          if (b <= a) expect(second).toEqual(first)
          for (let pod = 0; pod < b && !options.bareWildcards; pod += 1) expect(named.has(`db-${pod}.db-h`)).toBe(true)
        }),
      )
    },
  )

  it('has headroom', () => {
    expect([1, 3, 4, 7, 8, 100].map(headroom)).toEqual([4, 4, 8, 8, 16, 128])
  })
})

describe('what cannot be named is refused with field and cure', () => {
  const label = 'a'.repeat(63)
  it.each<[string, Group, string, NameOptions]>([
    ['more pods than a certificate holds', { statefulSet: set(1000) }, 'statefulSet.replicas', openssl],
    ['more pods, no wildcards', { statefulSet: set(60) }, 'statefulSet.replicas', { ...go, wildcards: false }],
    ['a pod name too long', { statefulSet: set(1, { name: label }) }, 'statefulSet.name', openssl],
    ['a bad name', { dnsNames: ['a..b'] }, 'dnsNames', go],
    ['a bad address', { ipAddresses: ['10.0.0.0/8'] }, 'ipAddresses', go],
    ['too many services', { services: Array.from({ length: 64 }, (_, i) => `s${i}`) }, 'services', go],
  ])('%s', (_, group, field, options) => {
    const error = refusal(() => namesOfGroup(group, place, options))
    expect(error.field).toBe(field)
    expect(error.message).not.toBe('')
    expect(error.cure).not.toBe('')
  })

  it('a cluster domain that is none', () => {
    for (const clusterDomain of ['a b', 'a'.repeat(64), `${'a.'.repeat(126)}b`])
      expect(refusal(() => namesOfGroup({ services: ['db'] }, { namespace: 'data', clusterDomain }, go)).field).toBe(
        'clusterDomain',
      )
  })
})

describe('the common name', () => {
  it('is a name that fits into 64 characters, or none', () => {
    const long = `${'a'.repeat(60)}.data.svc`
    expect(commonNameOf({ dnsNames: [long, '*.db', 'db.data'], ipAddresses: [] })).toBe('db.data')
    expect(commonNameOf({ dnsNames: [long, '*.db', 'localhost'], ipAddresses: [] })).toBeUndefined()
  })

  it('never exceeds its bound, and lists never exceed theirs', () => {
    const name = fc.stringMatching(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/)
    const group = fc.record({
      services: fc.array(name, { maxLength: 10 }),
      statefulSet: fc.option(fc.record({ name, headlessService: name, replicas: fc.integer({ min: 1, max: 1000 }) }), {
        nil: undefined,
      }),
    })
    fc.assert(
      fc.property(group, fc.boolean(), fc.boolean(), (some, bareWildcards, wildcards) => {
        let names
        try {
          names = namesOfGroup(some, place, { bareWildcards, wildcards, kept: [] })
        } catch (error) {
          expect(error).toBeInstanceOf(TopologyError)
          return
        }
        expect(names.dnsNames.length).toBeLessThanOrEqual(maxDnsNames)
        expect(new Set(names.dnsNames).size).toBe(names.dnsNames.length)
        expect(names.dnsNames).toEqual(expect.arrayContaining([...loopback.dnsNames]))
        expect((commonNameOf(names) ?? '').length).toBeLessThanOrEqual(64)
      }),
    )
  })
})
