import { describe, expect, it } from 'vitest'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { Manifest } from './support/manifests.ts'
import { authority, certificate, yamlOf } from './support/manifests.ts'

const ns = 'default'
const opaque = { type: 'Opaque' }

describe('garbage in a manifest', () => {
  it.each<{ readonly what: string; readonly manifest: Manifest; readonly field: string }>([
    {
      what: 'a newline in a DNS name',
      manifest: certificate(ns, 'g', { dnsNames: ['a.db\nDNS:b.db'] }),
      field: 'spec.dnsNames[0]',
    },
    {
      what: 'two names in one',
      manifest: certificate(ns, 'g', { dnsNames: ['a.db,IP:10.0.0.1'] }),
      field: 'spec.dnsNames[0]',
    },
    {
      what: 'a wildcard in the middle',
      manifest: certificate(ns, 'g', { dnsNames: ['a.*.db'] }),
      field: 'spec.dnsNames[0]',
    },
    {
      what: 'no IP address',
      manifest: certificate(ns, 'g', { ipAddresses: ['10.0.0.256'] }),
      field: 'spec.ipAddresses[0]',
    },
    {
      what: 'a common name of 65 characters',
      manifest: certificate(ns, 'g', { subject: { commonName: 'x'.repeat(65) } }),
      field: 'spec.subject.commonName',
    },
    { what: 'an endless duration', manifest: certificate(ns, 'g', { duration: '1e999h' }), field: 'spec.duration' },
    { what: 'a negative duration', manifest: certificate(ns, 'g', { duration: '-5h' }), field: 'spec.duration' },
    {
      what: 'renewal before issuance',
      manifest: certificate(ns, 'g', { duration: '1h', renewBefore: '2h' }),
      field: 'spec.renewBefore',
    },
    {
      what: 'role and usages',
      manifest: certificate(ns, 'g', { role: 'Client', usages: ['clientAuth'] }),
      field: 'spec.usages',
    },
    {
      what: 'a size that no key has',
      manifest: certificate(ns, 'g', { privateKey: { algorithm: 'RSA', size: 1024 } }),
      field: 'spec.privateKey.size',
    },
    { what: 'no name at all', manifest: certificate(ns, 'g', { dnsNames: [] }), field: 'spec' },
    {
      what: 'a path as a key',
      manifest: certificate(ns, 'g', { secret: { ...opaque, items: [{ key: '../x', content: 'Certificate' }] } }),
      field: 'spec.secret.items[0].key',
    },
    {
      what: "another controller's annotation",
      manifest: certificate(ns, 'g', { secret: { annotations: { 'argocd.argoproj.io/sync-options': 'Prune=false' } } }),
      field: 'spec.secret.annotations',
    },
    {
      what: 'two sources of a CA',
      manifest: authority(ns, 'g', { source: { selfSigned: {}, intermediate: { authorityRef: { name: 'ca' } } } }),
      field: 'spec.source',
    },
  ])('$what is refused by the API server, with the field named', async ({ manifest, field }) => {
    const plane = sharedControlPlane()
    const { code, stderr: text } = await plane.kubectl(['apply', '--server-side', '-f', '-'], yamlOf(manifest))
    expect(code).not.toBe(0)
    expect(text).toContain(`${field}: `)
    expect(text).not.toMatch(/no such key|evaluating rule|runtime error/)
  })
})
