import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Cluster, ListOptions } from '../../cluster/port.ts'
import { entryName, labelValue } from '../../ledger/record.ts'
import { certificatesOf, encodePem } from '../../pki/encoding/pem.ts'
import { issuedCertificates, type IssuedCertificate } from '../../resources/issued-certificate.ts'
import { inParallel } from '../shared/in-parallel.ts'
import { readLedger } from './entries.ts'
import { main as ledger } from './ledger.ts'
import { authorityYaml, certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'

const folder = useFolder()
const count = 10_000

const isRevoked = (serialNumber: string): boolean => serialNumber.endsWith('0')

/** The one certificate again and again, with other serial numbers; nobody looks at the signatures here. */
const multiply = async (cluster: Cluster): Promise<{ all: string[]; revoked: number }> => {
  const { items } = await cluster.list(issuedCertificates, { namespace: 'data' })
  const model = items.find(({ spec }) => spec.certificateRef?.name === 'orders') as IssuedCertificate
  const [der] = certificatesOf(model.spec.certificate) as [Uint8Array]
  const at = Buffer.from(der).indexOf(Buffer.from(model.spec.serialNumber, 'hex'))
  const serials = Array.from({ length: count - items.length }, () => {
    const serial = randomBytes(16)
    serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f)
    return serial
  })
  await inParallel(serials, 64, async (serial) => {
    const copy = Buffer.from(der)
    serial.copy(copy, at)
    const serialNumber = serial.toString('hex').toUpperCase()
    const revocation = isRevoked(serialNumber) ? { revocation: { reason: 'superseded' } } : {}
    await cluster.create(
      issuedCertificates,
      {
        ...model,
        metadata: {
          name: entryName('ca', serialNumber),
          namespace: 'data',
          labels: { 'dbtls.dev/authority': labelValue('ca') },
        },
        spec: { ...model.spec, serialNumber, certificate: encodePem('CERTIFICATE', copy), ...revocation },
      } as IssuedCertificate,
      { fieldManager: 'test', metadataOnly: true },
    )
  })
  const made = serials.map((serial) => serial.toString('hex').toUpperCase())
  // The two that were there are valid, whatever their serial numbers end with.
  return { all: [...made, ...items.map(({ spec }) => spec.serialNumber)], revoked: made.filter(isRevoked).length }
}

describe('ten thousand entries', () => {
  it('are listed page by page, selected by the server, and shown one by one', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    const asked: ListOptions[] = []
    const [serials, revoked, found] = await folder.inState(async (cluster) => {
      const { all, revoked: some } = await multiply(cluster)
      const recording = {
        list: (resource: typeof issuedCertificates, options: ListOptions) => {
          asked.push(options)
          return cluster.list(resource, options)
        },
      } as unknown as Cluster
      const authority = { namespace: 'data', name: 'ca' }
      const read = await readLedger({ cluster: recording, scope: undefined }, { authority })
      const one = await readLedger({ cluster: recording, scope: undefined }, { authority, serialNumber: all[7] })
      expect(one.map(({ spec }) => spec.serialNumber)).toEqual([all[7]])
      return [all, some, read.map(({ spec }) => spec.serialNumber)]
    })
    expect(found.toSorted()).toEqual(serials.toSorted())
    // Twenty pages, and one request for a single entry: nothing is asked entry by entry.
    expect(asked).toHaveLength(count / 500 + 1)
    expect(asked.every(({ limit }) => limit === 500)).toBe(true)
    expect(asked.at(-1)?.fieldSelector).toBe(`spec.authorityRef.name=ca,spec.serialNumber=${serials[7]}`)

    const verb = (...args: string[]) => runVerb(ledger, [...args, '--authority', 'data/ca', ...folder.state])
    const table = await verb('list')
    expect(table.out.split('\n')).toHaveLength(count + 3)
    expect(table.out).toMatch(new RegExp(`\n${count} certificates: ${count - revoked} valid, ${revoked} revoked\n$`))
    const { items } = JSON.parse((await verb('list', '--status', 'revoked', '-o', 'json')).out) as { items: unknown[] }
    expect(items).toHaveLength(revoked)
    expect((await verb('show', serials[7] ?? '')).out).toContain(`Serial number:       ${serials[7]}\n`)
  }, 120_000)
})
