import { describe, expect, it } from 'vitest'
import type { Cluster } from '../../cluster/port.ts'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { isReady } from '../../resources/conditions.ts'
import { secrets } from '../../resources/core.ts'
import { issuedCertificates } from '../../resources/issued-certificate.ts'
import { main as render } from '../embedded/render.ts'
import { main as inspect } from '../inspect/inspect.ts'
import { openTarget } from '../shared/target.ts'
import { authorityYaml, certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'
import { main as verify } from '../verify/verify.ts'
import { main as backup } from './backup.ts'
import { main as restore } from './restore.ts'

describe('a CA in the middle of a rotation', () => {
  const folder = useFolder()
  const contents = ['CertificateChain', 'PrivateKey', 'TrustBundle', 'RevocationList']
  const keys = ['tls.crt', 'tls.key', 'ca.crt', 'ca.crl']
  const items = keys.map((key, at) => `{key: ${key}, content: ${contents[at]}}`).join(', ')
  const leaf = certificateYaml().replace('secret: {name: orders-tls}', `secret: {name: orders-tls, items: [${items}]}`)
  const spec = (rotation: string): string => `${authorityYaml('ca', `crl: {}, rotation: {${rotation}}`)}${leaf}`
  const inFolder = async <T>(name: string, look: (cluster: Cluster) => Promise<T>): Promise<T> => {
    const { cluster, close } = await openTarget({ state: folder.path(name) }, { env: {} })
    try {
      return await look(cluster)
    } finally {
      close()
    }
  }
  const seen = (name: string) =>
    inFolder(name, async (cluster) => {
      const authority = await cluster.get(certificateAuthorities, { namespace: 'data', name: 'ca' })
      const { data = {}, metadata } = await cluster.get(secrets, { namespace: 'data', name: 'ca-ca' })
      return {
        rotation: authority.status?.rotation,
        ready: isReady(authority),
        stage: metadata.annotations?.['dbtls.dev/rotation-stage'],
        data,
        entries: (await cluster.list(issuedCertificates, { namespace: 'data' })).items.length,
      }
    })

  it.each([
    { stage: 'Both', phase: 'TrustBoth', rotation: 'trigger: a, trustSoak: 1000h' },
    { stage: 'Switched', phase: 'Signing', rotation: 'trigger: a, trustSoak: 0s, holdAt: Signing' },
  ])(
    'goes into a backup and comes back at stage $stage, and is read and verified there',
    async ({ stage, phase, rotation }) => {
      await folder.render(spec(''))
      await folder.render(spec(rotation))
      const before = await seen('state')
      expect(before).toMatchObject({ stage, ready: true, rotation: { phase } })

      const pass = ['--passphrase-file', folder.file('pass', 'a passphrase\n')]
      const saved = await runVerb(backup, [folder.path('f.backup'), '--authority', 'data/ca', ...pass, ...folder.state])
      expect([saved.code, saved.err]).toEqual([0, ''])
      const brought = await runVerb(restore, [folder.path('f.backup'), ...pass, '--state', folder.path('other')])
      expect([brought.code, brought.err]).toEqual([0, ''])
      const args = ['-f', folder.path('m.yaml'), '--out', folder.path('out2'), '--state', folder.path('other')]
      expect(await runVerb(render, args)).toMatchObject({ code: 0, err: '' })
      const { data, rotation: told, ...rest } = await seen('other')
      expect(rest).toEqual({ ready: true, stage, entries: before.entries })
      expect(told).toMatchObject({ phase, from: before.rotation?.from, to: before.rotation?.to })
      expect(Object.keys(data).toSorted()).toEqual(Object.keys(before.data).toSorted())
      for (const key of ['tls.crt', 'ca.crt', 'tls.key', 'next.crt', 'next.key', 'former.crt', 'former.key'])
        expect({ key, value: data[key] }).toEqual({ key, value: before.data[key] })

      const state = ['--state', folder.path('other')]
      expect(await runVerb(verify, ['data/orders-tls', ...state])).toMatchObject({ code: 0, err: '' })
      const { code, out } = await runVerb(inspect, ['data/ca-ca', ...state])
      expect(code).toBe(0)
      for (const key of Object.keys(before.data)) expect(out).toContain(key)
      expect(out).not.toContain('PRIVATE KEY-----')
    },
  )
})
