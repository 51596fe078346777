import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clusterRules, localRules, parseNetwork, Permission } from './permitted.ts'

const place = { namespace: 'data', clusterDomain: 'cluster.local' }
const inCluster = new Permission(clusterRules)

describe('addresses that are asked', () => {
  it.each([
    '10.0.0.7',
    '192.168.3.4',
    '172.16.10.14',
    '100.64.0.9',
    '52.1.2.3',
    'fd12::7',
    '2a00::1',
    '64:ff9b::a00:7',
    '64:ff9b:1::a00:7',
    '2002:0a00:0007::1',
    '2a00::7f00:1',
    '1:2:3:4:5:6:7f00:1',
  ])('%s', (address) => expect(inCluster.refusal(address)).toBeUndefined())
})

describe('addresses that are not asked', () => {
  it.each([
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    '::ffff:127.0.0.1',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '64:ff9b::169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::7f00:1',
    '64:ff9b:0:0:0:0:a9fe:a9fe',
    '0064:FF9B:0::a9fe:a9fe',
    '64:ff9b:0:0::169.254.169.254',
    '64:ff9b:1::a9fe:a9fe',
    '64:ff9b:1:2:3::a9fe:a9fe',
    '::127.0.0.1',
    '0:0:0:0:0:0:7f00:0001',
    '::ffff:0:127.0.0.1',
    '2002:a9fe:a9fe::1',
    '2002:7f00:1:0:1:2:3:4',
    'nonsense',
  ])('%s', (address) => expect(inCluster.refusal(address)).toEqual(expect.any(String)))

  it('are what the administrator adds, and goes before what they allow', () => {
    const rules = { ...clusterRules, allow: ['127.0.0.0/8', '10.1.0.0/16'], deny: ['10.0.0.0/8', 'fd12::/16'] }
    const permission = new Permission(rules)
    const refused = ['10.1.2.3', 'fd12::1', '::ffff:10.1.2.3', '127.0.0.1', '169.254.0.1', '11.0.0.1']
    expect(refused.map((address) => permission.refusal(address) !== undefined)).toEqual([
      ...[true, true, true],
      ...[false, true, false],
    ])
    expect(permission.refusal('10.1.2.3')).toContain('--probe-deny')
  })
  it('do not hold a person off their own machine', () => {
    const local = new Permission(localRules)
    expect([local.refusal('127.0.0.1'), local.refusal('::1')]).toEqual([undefined, undefined])
    expect(local.refusal('169.254.169.254')).toBeDefined()
  })
  it('are the same however an IPv4 address is written in IPv6', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const refused = inCluster.refusal(address) !== undefined
        expect(inCluster.refusal(`::ffff:${address}`) !== undefined).toBe(refused)
        expect(inCluster.refusal(`64:ff9b::${address}`) !== undefined).toBe(refused)
      }),
    )
  })
})

describe('names', () => {
  it.each([
    ['orders', 'orders.data.svc.cluster.local.'],
    ['Orders.data', 'orders.data.svc.cluster.local.'],
    ['orders.data.svc', 'orders.data.svc.cluster.local.'],
    ['orders-0.orders.data.svc.cluster.local', 'orders-0.orders.data.svc.cluster.local.'],
    ['svc.data.svc', 'svc.data.svc.cluster.local.'],
    ['svc-0.svc.data.svc', 'svc-0.svc.data.svc.cluster.local.'],
    ['db.example.com.', 'db.example.com.'],
    // The operator's search path would lead into other namespaces.
    ['orders.kube-system', 'orders.kube-system.'],
    ['localhost', 'localhost.'],
    ['10.0.0.1', '10.0.0.1'],
    ['fd12::7', 'fd12::7'],
  ])('%s is looked up as %s', (host, name) => expect(inCluster.name(host, place)).toEqual({ name }))

  it.each([
    ['kube-dns.kube-system.svc', 'kube-system'],
    ['kube-dns.kube-system.svc.cluster.local', 'kube-system'],
    ['Kube-DNS.Kube-System.SVC.cluster.local.', 'kube-system'],
    ['kube-dns.kube-system.svc.k8s.acme', 'kube-system'],
    ['10-0-0-1.other.pod.cluster.local', 'other'],
    ['orders-0.orders.other.svc', 'other'],
  ])('%s belongs to namespace %s and is not asked', (host, namespace) => {
    const asked = inCluster.name(host, place)
    expect(asked).toEqual({ refused: expect.stringContaining(`namespace ${namespace}`) })
    const permission = new Permission({ ...clusterRules, otherNamespaces: true })
    expect(permission.name(host, place)).toHaveProperty('name')
  })
  it('cannot be made the own ones by a cluster domain of the author', () => {
    const trick = { namespace: 'data', clusterDomain: 'kube-system.svc.cluster.local' }
    for (const host of ['x', 'x.data', 'x.data.svc', 'x.kube-system.svc.cluster.local'])
      expect(inCluster.name(host, trick)).toHaveProperty('refused')
  })
  it('are left as they are on a machine with a hosts file', () =>
    expect(new Permission(localRules).name('orders', place)).toEqual({ name: 'orders' }))
})

describe('networks', () => {
  it.each(['', 'x', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/9', '::/129', '::/-1', 'fe80::1%eth0', '10.0.0.0/0x8'])(
    '"%s" is none',
    (text) => {
      expect(parseNetwork(text)).toBeUndefined()
      expect(() => new Permission({ ...clusterRules, deny: [text] })).toThrow(RangeError)
    },
  )
  it('are addresses with or without a prefix', () => {
    expect(parseNetwork('10.0.0.0/8')).toEqual({ address: '10.0.0.0', prefix: 8, family: 'ipv4' })
    expect(parseNetwork('fd00::1')).toEqual({ address: 'fd00::1', prefix: 128, family: 'ipv6' })
  })
})
