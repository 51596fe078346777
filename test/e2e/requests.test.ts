/** What docs/certificates.md says of requests, policies and revoked certificates, typed on a real API server. */

import { execFileSync, spawnSync } from 'node:child_process'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import type { CustomThing, LedgerThing } from './support/api.ts'
import { textOf } from './support/api.ts'
import { entriesFor } from './support/ledger.ts'
import { certificate } from './support/manifests.ts'
import { leafOf, serialOf } from './support/material.ts'
import { Rig, authorities, certificates } from './support/rig.ts'

const ns = 'e2e-requests'
const page = readFileSync(fileURLToPath(new URL('../../docs/certificates.md', import.meta.url)), 'utf8')

/** The commands and the manifest of a section, for the namespace of this test. */
const section = (title: string): { readonly commands: readonly string[]; readonly manifest: string } => {
  const [, text = ''] = new RegExp(`## ${title}\\n([\\s\\S]*?)(?=\\n## |$)`).exec(page) ?? []
  const block = (language: string): string => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? ''
  const here = (written: string): string => written.replaceAll('-n data ', `-n ${ns} `)
  return {
    commands: here(block('sh')).trim().split('\n'),
    manifest: block('yaml').replaceAll('namespace: data\n', `namespace: ${ns}\n`),
  }
}

const spkiOf = ({ publicKey }: X509Certificate): string =>
  publicKey.export({ type: 'spki', format: 'der' }).toString('hex')

const withOpenssl = spawnSync('openssl', ['version']).status === 0
if (!withOpenssl) console.warn('openssl is not on the PATH: requests are not shown on a real API server')

describe.runIf(withOpenssl)('a request made elsewhere, under the policy of a CA', () => {
  let rig: Rig
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-requests-'))
  const request = section('Requests made elsewhere')
  const keyOfRequest = (): string =>
    createPublicKey(readFileSync(join(folder, 'payments.key')))
      .export({ type: 'spki', format: 'der' })
      .toString('hex')

  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-requests-operator' }, [ns])
    await rig.operator()
    await rig.plane.apply(section('What the CA allows').manifest)
    await rig.ready(ns, authorities, 'strict-ca')
    const [openssl = '', kubectl = ''] = request.commands
    const [program, ...words] = openssl.split(' ')
    execFileSync(program ?? '', words, { cwd: folder, stdio: 'pipe' })
    const [, ...args] = kubectl.split(' ')
    await rig.plane.kubectlOk(args.map((word) => word.replace('tls.csr=', `tls.csr=${folder}/`)))
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await rig.stop()
  })

  const entry = async (serial: string | undefined): Promise<LedgerThing> => {
    const found = (await entriesFor(rig.api, ns, 'payments')).find(({ spec }) => spec.serialNumber === serial)
    if (found === undefined) throw new Error(`no entry ${serial}`)
    return found
  }
  const another = (serial: string): Promise<CustomThing> =>
    eventually(
      'another certificate',
      async () => {
        const found = await rig.api.get<CustomThing>(certificates, ns, 'payments')
        return rig.isReady(found) && found.status?.serialNumber !== serial && found
      },
      { timeoutMs: 90_000 },
    )

  it('is signed, kept in the ledger, and signed again by itself, also when its Secret is gone', async () => {
    await rig.plane.apply(request.manifest.replace('duration: 30d', 'duration: 20s'))
    const first = await rig.ready(ns, certificates, 'payments')
    const secret = await rig.secret(ns, 'payments-tls')
    expect(Object.keys(secret.data ?? {}).toSorted()).toEqual(['ca.crt', 'tls.crt'])
    expect(secret.type).toBe('Opaque')
    expect(leafOf(secret).subject).toBe('O=Acme\nCN=payments')
    expect(leafOf(secret).subjectAltName).toBe('DNS:payments.data.svc')
    expect(leafOf(secret).checkIssued(new X509Certificate(textOf(secret, 'ca.crt')))).toBe(true)
    expect(spkiOf(leafOf(secret))).toBe(keyOfRequest())
    const { spec } = await entry(first.status?.serialNumber)
    expect(spec).toHaveProperty('request', readFileSync(join(folder, 'payments.csr'), 'utf8'))

    await rig.plane.kubectlOk(['-n', ns, 'delete', 'secret', 'payments-csr'])
    const second = await another(serialOf(secret))
    const renewed = await rig.secret(ns, 'payments-tls')
    expect(spkiOf(leafOf(renewed))).toBe(keyOfRequest())
    expect((await entry(second.status?.serialNumber)).spec).toHaveProperty('supersedes.serialNumber', serialOf(secret))
    expect(rig.condition(second, 'Ready')?.message).toContain('renewals go on from the request kept in the ledger')
  }, 60_000)

  it('stands beside certificates that the policy refuses with field and name, and nothing is recorded of those', async () => {
    const subject = { commonName: 'stray', organizations: ['Acme'] }
    await rig.apply(
      certificate(ns, 'stray', { authorityRef: { name: 'strict-ca' }, subject, dnsNames: ['stray.example'] }),
    )
    const { message } = await rig.refused(ns, certificates, 'stray', 'PolicyViolation')
    expect(message).toContain(`CertificateAuthority ${ns}/strict-ca does not sign this.`)
    expect(message).toContain('"stray.example" is not in policy.allowedDNSNames (*.data.svc)')
    expect(await entriesFor(rig.api, ns, 'stray')).toEqual([])
    await rig.apply(
      certificate(ns, 'stray', { authorityRef: { name: 'strict-ca' }, subject, dnsNames: ['stray.data.svc'] }),
    )
    await rig.ready(ns, certificates, 'stray')
  })

  it('whose key is known to others is not signed again', async () => {
    await rig.plane.apply(request.manifest)
    const { status } = await rig.ready(ns, certificates, 'payments')
    const { metadata } = await entry(status?.serialNumber)
    await rig.api.patch('issuedcertificates', ns, metadata.name, { spec: { revocation: { reason: 'keyCompromise' } } })
    const { message } = await rig.refused(ns, certificates, 'payments', 'KeyInUse')
    expect(message).toContain('make another key')
    const before = await entriesFor(rig.api, ns, 'payments')
    await rig.quiet()
    expect(await entriesFor(rig.api, ns, 'payments')).toHaveLength(before.length)
  })
})
