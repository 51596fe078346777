import { describe, expect, it } from 'vitest'
import { certificateAuthorities } from '../../resources/certificate-authority.ts'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { issuedCertificates } from '../../resources/issued-certificate.ts'
import { main, serialOf } from './revoke.ts'
import { authorityYaml, certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'

describe('dbtls revoke', () => {
  const folder = useFolder()
  const prepared = async (): Promise<string> => {
    await folder.render(authorityYaml() + certificateYaml())
    return folder.inState(
      async (cluster) =>
        (await cluster.get(databaseCertificates, { namespace: 'data', name: 'orders' })).status?.serialNumber ?? '',
    )
  }
  const revocations = () =>
    folder.inState(async (cluster) => {
      const { items } = await cluster.list(issuedCertificates)
      return items.flatMap(({ spec }) => (spec.revocation === undefined ? [] : [[spec.serialNumber, spec.revocation]]))
    })
  const revoke = (...args: string[]) => runVerb(main, [...args, '--authority', 'data/ca', ...folder.state])
  const time = expect.stringMatching(/^20\d\d-.*Z$/) as string

  it('marks the entry, with reason and time', async () => {
    const serial = await prepared()
    const { code, out, err } = await revoke(serial, '--reason', 'keycompromise', '--invalidity-time', '2026-01-31')
    expect([code, err]).toEqual([0, ''])
    expect(out).toBe(`revoked    ${serial} (data/orders): keyCompromise\n`)
    expect(await revocations()).toEqual([
      [serial, { reason: 'keyCompromise', time, invalidityTime: '2026-01-31T00:00:00Z' }],
    ])
  })
  it('takes the serial number as other programs print it', async () => {
    const serial = await prepared()
    const colons = serial.toLowerCase().replace(/(..)(?!$)/g, '$1:')
    expect((await revoke(colons)).code).toBe(0)
    expect(await revocations()).toEqual([[serial, { reason: 'unspecified', time }]])
  })
  it('revokes what a certificate holds now, by its name', async () => {
    const serial = await prepared()
    const byName = ['--certificate', 'orders', '-n', 'data', ...folder.state]
    const { code, out, err } = await runVerb(main, [...byName, '--reason', 'certificateHold'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toBe(`revoked    ${serial} (data/orders): certificateHold\n`)
    expect((await runVerb(main, [...byName, '--unhold'])).out).toBe(`released   ${serial} (data/orders)\n`)
    expect(await revocations()).toEqual([])
  })
  it.each([
    [['--certificate', 'data/missing'], 1, 'there is no DatabaseCertificate data/missing'],
    [['--certificate', 'data/pending'], 1, 'DatabaseCertificate data/pending holds no certificate yet'],
    [['AB', '--certificate', 'data/orders'], 2, 'leave out serial numbers'],
    [['--certificate', 'data/orders', '--authority', 'data/ca'], 2, 'leave out serial numbers and --authority'],
    [['--certificate', '$(id)'], 2, '--certificate is [NAMESPACE/]NAME'],
  ])('refuses %j', async (args, expected, sentence) => {
    await folder.render(authorityYaml() + certificateYaml('pending', '', 'nobody'))
    const { code, err } = await runVerb(main, [...args, ...folder.state])
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence)])
  })
  it('refuses what is revoked already, as openssl says it', async () => {
    const serial = await prepared()
    await revoke(serial, '--reason', 'superseded')
    const { code, err } = await revoke(serial, '--reason', 'keyCompromise')
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(`Already revoked, serial number ${serial} (superseded at 20`),
    ])
    expect(await revocations()).toEqual([[serial, { reason: 'superseded', time }]])
  })
  it('holds, and takes a hold back or makes it final', async () => {
    const serial = await prepared()
    const hold = ['--reason', 'certificateHold']
    expect((await revoke(serial, ...hold)).code).toBe(0)
    expect((await revoke(serial, ...hold)).err).toContain('Already revoked')
    expect((await revoke(serial, '--unhold')).out).toContain(`released   ${serial}`)
    expect(await revocations()).toEqual([])
    await revoke(serial, ...hold)
    expect((await revoke(serial, '--reason', 'keyCompromise')).code).toBe(0)
    expect(await revocations()).toEqual([[serial, { reason: 'keyCompromise', time }]])
    const { code, err } = await revoke(serial, '--reason', 'removeFromHold')
    expect([code, err]).toEqual([1, expect.stringContaining('only certificateHold can be taken back')])
  })
  it('revokes all of several serial numbers or none', async () => {
    const serial = await prepared()
    const { code, err } = await revoke(serial, 'AB')
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('serial number AB is not in the ledger of CertificateAuthority data/ca'),
    ])
    expect(await revocations()).toEqual([])
  })
  it('works on the ledger of an authority that is gone', async () => {
    const serial = await prepared()
    await folder.inState((cluster) => cluster.delete(certificateAuthorities, { namespace: 'data', name: 'ca' }))
    expect((await revoke('AB')).err).toContain('there is no CertificateAuthority data/ca')
    expect((await revoke(serial)).code).toBe(0)
  })
  it.each([
    [['AB', '--reason', 'removeFromCRL'], 2, '--reason is one of'],
    [['AB', '--reason', 'bored'], 2, 'not "bored"'],
    [['AB', '--unhold', '--reason', 'superseded'], 2, 'leave out --reason'],
    [['AB', '--invalidity-time', '2999-01-01'], 2, 'lies in the future'],
    [['AB', '--invalidity-time', 'yesterday'], 2, 'RFC 3339'],
    [['xyz'], 2, 'hex digits'],
    [[], 2, 'at least one serial number'],
    [['AB', '--wait'], 2, '--wait needs a cluster'],
    [['AB', '--unhold'], 1, 'not in the ledger'],
  ])('refuses %j', async (args, expected, sentence) => {
    await folder.render(authorityYaml())
    const { code, err } = await revoke(...args)
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence)])
  })
})

it.each([
  ['1', '01'],
  ['0x0a', '0A'],
  ['00:AB', 'AB'],
  ['00', '00'],
])('reads the serial number %s as %s', (text, serial) => expect(serialOf(text)).toBe(serial))
