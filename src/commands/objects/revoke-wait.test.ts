import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../runtime/manual-clock.ts'
import { issuedCertificates } from '../../resources/issued-certificate.ts'
import type { Io } from '../shared/io.ts'
import type { Target } from '../shared/target.ts'
import { authorityYaml, certificateYaml, useFolder } from '../shared/verb.fixture.ts'
import { untilListed } from './revoke-wait.ts'

describe('waiting for a revocation list', () => {
  const folder = useFolder()

  it('does not wait for what no list will ever name, and says why', async () => {
    await folder.render(authorityYaml('ca', 'crl: {}') + authorityYaml('cb') + certificateYaml('orders', '', 'cb'))
    const said = new PassThrough()
    let text = ''
    said.on('data', (chunk) => (text += String(chunk)))
    const code = await folder.inState(async (cluster) => {
      const { items } = await cluster.list(issuedCertificates)
      // As after the CA has got another key: the ledger is that of its name.
      const entries = items.filter(({ spec }) => spec.certificateRef?.name === 'orders')
      expect(entries).toHaveLength(1)
      const target = { cluster, clock: new ManualClock() } as unknown as Target
      const io = { env: {}, stdout: said, stderr: said } as unknown as Io
      const key = { namespace: 'data', name: 'ca' }
      return untilListed(target, io, key, { entries, revoked: true, timeoutMs: 1000 })
    })
    expect(code).toBe(1)
    expect(text).toMatch(/^not listed [0-9A-F]{32} was signed by a former key of CertificateAuthority ca, /)
  })
})
