/** The pages on CAs that are brought along, done as they say on a real API server. */

import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import { type MadeAuthority, makeAuthority, rsaKey } from '../../src/pki/imports/import.fixture.ts'
import type { Thing } from './support/api.ts'
import { textOf } from './support/api.ts'
import { certificate } from './support/manifests.ts'
import { serialOf } from './support/material.ts'
import { Rig, authorities, certificates } from './support/rig.ts'

/** Of the page's examples. */
const home = 'data'
const page = readFileSync(fileURLToPath(new URL('../../docs/authorities.md', import.meta.url)), 'utf8')

/** The commands and the manifest of a section. */
const section = (title: string): { readonly commands: readonly string[]; readonly manifest: string } => {
  const [, text = ''] = new RegExp(`## ${title}\\n([\\s\\S]*?)(?=\\n## |$)`).exec(page) ?? []
  const block = (language: string): string => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? ''
  return { commands: block('sh').trim().split('\n'), manifest: block('yaml') }
}

describe('what is brought along', () => {
  let rig: Rig
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-sources-'))
  const root = makeAuthority({ subject: '/O=Corp/CN=Corp Root' })
  const corp = makeAuthority({ subject: '/O=Corp/CN=Corp CA', signedBy: root, days: 2000, key: rsaKey(2048) })
  const traditional = ({ key }: MadeAuthority): string =>
    execFileSync('openssl', ['rsa', '-traditional', '-aes256', '-passout', 'pass:a passphrase'], {
      input: key,
      stdio: ['pipe', 'pipe', 'ignore'],
    }).toString()
  const typed = async ({ commands, manifest }: ReturnType<typeof section>): Promise<void> => {
    for (const command of commands) {
      const [program, ...args] = command.split(' ')
      expect(program).toBe('kubectl')
      // What the page reads from the present folder.
      await rig.plane.kubectlOk(args.map((argument) => argument.replace(/(--from-file=(?:[^=]*=)?)/, `$1${folder}/`)))
    }
    await rig.plane.apply(manifest)
  }

  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-sources-operator' }, [home])
    await rig.operator()
    const files = {
      'corp-ca.crt': `Corp CA\r\n${corp.certificate}`,
      'corp-ca.key': traditional(corp),
      'corp-ca.pass': 'a passphrase\n',
      'corp-root.crt': root.certificate,
      'global-bundle.pem': `# EU\n${root.certificate}`,
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  })
  afterAll(async () => {
    await rig.stop()
    rmSync(folder, { recursive: true })
  })

  const replace = (stringData: Record<string, string>) => rig.api.patch('secrets', home, 'corp-ca', { stringData })

  it('signs as the page says, says why when it cannot, and is followed', async () => {
    await typed(section('A CA you already have'))
    await rig.ready(home, authorities, 'corp-ca')
    await rig.apply(certificate(home, 'leaf', { authorityRef: { name: 'corp-ca' } }))
    await rig.ready(home, certificates, 'leaf')
    const leaf = await rig.secret(home, 'leaf-tls')
    const [own, above] = [new X509Certificate(textOf(leaf, 'tls.crt')), new X509Certificate(corp.certificate)]
    expect(own.checkIssued(above)).toBe(true)
    expect(own.verify(above.publicKey)).toBe(true)
    expect(textOf(leaf, 'ca.crt')).toBe(root.certificate)
    const { annotations, labels, ownerReferences } = (await rig.secret(home, 'corp-ca')).metadata
    expect([annotations, labels, ownerReferences]).toEqual([undefined, undefined, undefined])

    await replace({ 'tls.key': root.key })
    const { message } = await rig.refused(home, authorities, 'corp-ca', 'AuthoritySecretInvalid')
    expect(message).toContain('does not belong to')
    await rig.quiet()
    expect((await rig.secret(home, 'leaf-tls')).metadata.resourceVersion).toBe(leaf.metadata.resourceVersion)

    await replace({ 'tls.key': traditional(corp) })
    await rig.ready(home, authorities, 'corp-ca')
    await rig.quiet()
    expect(serialOf(await rig.secret(home, 'leaf-tls'))).toBe(serialOf(leaf))

    const next = makeAuthority({ subject: '/O=Corp/CN=Next CA', signedBy: root, days: 2000 })
    await replace({ 'tls.crt': next.certificate, 'tls.key': next.key })
    const after = await rig.secretUntil(
      'a leaf of the next CA',
      home,
      'leaf-tls',
      (secret) => serialOf(secret) !== serialOf(leaf),
    )
    expect(new X509Certificate(textOf(after, 'tls.crt')).issuer).toContain('Next CA')
    await rig.ready(home, certificates, 'leaf')
  })

  it('is trusted and signs nothing, as the page says', async () => {
    await typed(section('Trust without a CA'))
    await rig.ready(home, authorities, 'rds')
    interface MapThing extends Thing {
      readonly data?: Readonly<Record<string, string>>
    }
    const trusted = (wanted: string) =>
      eventually(
        'the bundle',
        async () => (await rig.api.find<MapThing>('configmaps', home, 'rds-trust'))?.data?.['ca.crt'] === wanted,
      )
    await trusted(root.certificate)
    const other = makeAuthority({ subject: '/O=RDS/CN=RDS eu-central-1' })
    await rig.api.patch('configmaps', home, 'rds-bundle', {
      data: { 'global-bundle.pem': other.certificate + root.certificate },
    })
    await trusted(other.certificate + root.certificate)
    await rig.apply(certificate(home, 'hopeful', { authorityRef: { name: 'rds' } }))
    const { message } = await rig.refused(home, certificates, 'hopeful', 'AuthorityNotAllowed')
    expect(message).toContain('signs nothing')
  })
})
