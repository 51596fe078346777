import { readdirSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Resource } from '../../cluster/port.ts'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { secrets } from '../../resources/core.ts'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { issuedCertificates } from '../../resources/issued-certificate.ts'
import { authorityYaml, certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'
import { openTarget } from '../shared/target.ts'
import { main as render } from '../embedded/render.ts'
import { main as backup } from './backup.ts'
import { main as restore } from './restore.ts'

const passphraseYaml = `apiVersion: v1
kind: Secret
metadata: {name: p, namespace: data}
stringData: {passphrase: "correct horse"}
---
`

describe('dbtls backup and restore', () => {
  const folder = useFolder()
  const pass = (): string[] => ['--passphrase-file', folder.file('pass', 'a passphrase\n')]
  const save = (...args: string[]) => runVerb(backup, [folder.path('f.backup'), ...args, ...pass(), ...folder.state])
  const bring = (...args: string[]) =>
    runVerb(restore, [folder.path('f.backup'), ...args, ...pass(), '--state', folder.path('other')])
  const inOther = async () => {
    const { cluster, close } = await openTarget({ state: folder.path('other') }, { env: {} })
    const names = async (kind: Resource): Promise<string[]> =>
      (await cluster.list(kind)).items.map(({ metadata }) => metadata.name).toSorted()
    try {
      return [
        await names(certificateAuthorities),
        await names(issuedCertificates),
        await names(databaseCertificates),
        await names(secrets),
      ]
    } finally {
      close()
    }
  }

  it('go from one state folder to another', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    const saved = await save('--authority', 'data/ca')
    expect([saved.code, saved.err]).toEqual([0, ''])
    expect(saved.out).toBe(
      `wrote      ${folder.path('f.backup')}: 1 CertificateAuthority, 2 ledger entries, 1 DatabaseCertificate, 2 Secrets, 0 ConfigMaps\n`,
    )
    const file = readFileSync(folder.path('f.backup'))
    expect(statSync(folder.path('f.backup')).mode & 0o777).toBe(0o600)
    expect(file.includes('PRIVATE KEY')).toBe(false)
    expect(file.includes('orders')).toBe(false)
    expect(readdirSync(folder.path()).filter((name) => name.startsWith('.'))).toEqual([])
    const brought = await bring()
    expect([brought.code, brought.err]).toEqual([0, ''])
    expect(brought.out).toContain('restored   1 CertificateAuthority, 2 ledger entries, 1 DatabaseCertificate')
    const state = await inOther()
    expect(state.map(({ length }) => length)).toEqual([1, 2, 1, 2])
    const { code } = await runVerb(render, [
      ...['-f', folder.path('m.yaml'), '--out', folder.path('out2'), '--state', folder.path('other')],
    ])
    expect(code).toBe(0)
    expect(await inOther()).toEqual(state)
    expect((await bring()).out).toBe('unchanged  everything was restored from this backup before\n')
  })

  it('never write over a file, and leave none behind that is not whole', async () => {
    await folder.render(authorityYaml())
    folder.file('f.backup', 'the only one')
    const { code, err } = await save('--all', '-A')
    expect([code, err]).toEqual([1, expect.stringContaining('exists, and may be the only good backup')])
    expect(readFileSync(folder.path('f.backup'), 'utf8')).toBe('the only one')
    expect(readdirSync(folder.path()).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('leave passphrases out where that is asked for, and want them back first', async () => {
    const protectedBy = 'privateKey: {passphraseSecretRef: {name: p}}'
    await folder.render(passphraseYaml + authorityYaml('ca', protectedBy))
    expect((await save('--all', '-A', '--without-passphrases')).err).toBe('left out   Secret data/p\n')
    const { code, err } = await bring()
    expect([code, err]).toEqual([
      1,
      'in the way Secret data/p was left out of the backup: create it first\ndbtls restore: nothing was written: this is in the way\n',
    ])
  })

  it('leave certificates out where that is asked for', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    await save('--all', '-A', '--without-certificates')
    expect((await bring()).code).toBe(0)
    expect((await inOther()).map(({ length }) => length)).toEqual([1, 2, 0, 1])
  })

  it('only say what would be done with --dry-run', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    await save('--all', '-A')
    expect((await bring('--dry-run')).err).toContain('there is no state in')
    const made = await openTarget({ state: folder.path('other') }, { env: {} }, { create: true })
    made.close()
    expect((await bring('--dry-run')).out).toMatch(/^would write 1 CertificateAuthority, 2 ledger entries/)
    expect((await inOther()).flat()).toEqual([])
  })

  it('name the CA above that is not among them', async () => {
    const below = 'source: {intermediate: {authorityRef: {name: root}}}'
    await folder.render(
      `${authorityYaml('root', 'maxPathLength: 1')}${authorityYaml('ca').replace('source: {selfSigned: {}}', below)}`,
    )
    const { code, err } = await save('--authority', 'data/ca')
    expect([code, err]).toEqual([
      0,
      'note       CertificateAuthority data/root, which signs data/ca, is not in this backup\n',
    ])
    const brought = await bring()
    expect([brought.code, brought.err]).toEqual([
      0,
      'note       CertificateAuthority data/root, which signs data/ca, is not there: restore it, too, before that one ends\n',
    ])
  })

  it('back up no CA whose key is gone', async () => {
    await folder.render(authorityYaml())
    await folder.inState((cluster) => cluster.delete(secrets, { namespace: 'data', name: 'ca-ca' }))
    const { code, err } = await save('--all', '-A')
    expect([code, err]).toEqual([
      1,
      'dbtls backup: Secret data/ca-ca with the key of a CertificateAuthority is gone: nothing was written\n',
    ])
  })

  it.each([
    {
      name: 'a wrong passphrase',
      change: (file: Buffer) => file,
      pass: 'another passphrase',
      says: 'the passphrase does not open it',
    },
    {
      name: 'an end cut off',
      change: (file: Buffer) => file.subarray(0, -1),
      pass: 'a passphrase',
      says: 'it is damaged',
    },
    {
      name: 'a bit turned',
      change: (file: Buffer) => file.fill((file.at(-40) ?? 0) ^ 4, file.length - 40, file.length - 39),
      pass: 'a passphrase',
      says: 'it is damaged',
    },
    {
      name: 'a later version',
      change: (file: Buffer) =>
        Buffer.from(file.toString('latin1').replace('dbtls-backup 1', 'dbtls-backup 2'), 'latin1'),
      pass: 'a passphrase',
      says: 'it is a backup of format 2, and this version of dbtls reads 1',
    },
    { name: 'nothing', change: () => Buffer.alloc(0), pass: 'a passphrase', says: 'it is not a backup of dbtls' },
  ])('refuse a file with $name, and write nothing', async ({ change, pass: typed, says }) => {
    await folder.render(authorityYaml())
    await save('--all', '-A')
    const file = folder.file('changed', change(readFileSync(folder.path('f.backup'))))
    const flags = ['--passphrase-file', folder.file('typed', typed), '--state', folder.path('other')]
    const { code, err } = await runVerb(restore, [file, ...flags])
    expect([code, err]).toEqual([1, expect.stringContaining(`dbtls restore: ${file}: ${says}`)])
    expect((await inOther()).flat()).toEqual([])
  })

  it.each([
    { verb: backup, args: ['--all'], says: 'name one FILE to write' },
    { verb: backup, args: ['f', 'g', '--all'], says: 'name one FILE to write' },
    { verb: backup, args: ['f'], says: 'say which: --authority or --all' },
    { verb: backup, args: ['f', '--all', '--authority', 'ca'], says: 'say which: --authority or --all' },
    { verb: restore, args: [], says: 'name one FILE to read' },
    { verb: restore, args: ['f', '-n', 'data'], says: 'leave out --namespace' },
  ])('say what is wrong with $args', async ({ verb, args, says }) => {
    await folder.render(authorityYaml())
    const { code, err } = await runVerb(verb, [...args, ...folder.state])
    expect([code, err]).toEqual([2, expect.stringContaining(says)])
  })

  it('refuse a passphrase that is soon guessed', async () => {
    await folder.render(authorityYaml())
    const file = folder.file('short', '1234567')
    const { code, err } = await runVerb(backup, [
      folder.path('x'),
      '--all',
      '-A',
      '--passphrase-file',
      file,
      ...folder.state,
    ])
    expect([code, err]).toEqual([1, 'dbtls backup: the passphrase of a backup has at least 8 characters\n'])
  })
})
