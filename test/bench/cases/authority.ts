/** Whether it costs more to sign when a CA has ten thousand entries in its ledger than when it has none. */
import { randomBytes } from 'node:crypto'
import { certificateAuthorities } from '../../../src/resources/certificate-authority.ts'
import { issuedCertificates, type IssuedCertificate } from '../../../src/resources/issued-certificate.ts'
import type { Operator } from '../../controlplane/harness/index.ts'
import type { Bench } from '../bench.ts'
import { median, spreadOf } from '../figures.ts'
import type { Figure } from '../figures.ts'
import { measureBatch } from '../issuance.ts'
import type { Batch } from '../issuance.ts'
import { authorityName, numbers } from '../objects.ts'
import { inParallel } from '../parallel.ts'
import { templateOf } from '../raw.ts'
import type { Sizes } from '../sizes.ts'

export const authority = async (bench: Bench, sizes: Sizes, say: (text: string) => void): Promise<Figure[]> => {
  const operator = await bench.launchReady()
  // Once for nothing: what is measured first would be slower for being first.
  await newBatch(bench, operator, 'warm', sizes)
  const empty: Batch[] = []
  for (let run = 0; run < sizes.runs; run += 1) {
    empty.push(await newBatch(bench, operator, `empty-${run}`, sizes))
    say(`empty ledger: ${JSON.stringify(empty.at(-1))}`)
  }
  const { issued } = await templateOf(bench, 'warm')
  await bench.namespace('full', { wait: true })
  await fill(bench, 'full', issued, sizes.ledger)
  say(`${sizes.ledger} entries in the ledger`)
  const full: Batch[] = []
  for (let run = 0; run < sizes.runs; run += 1) {
    const present = run * sizes.batch
    const create = () => bench.createCertificates('full', sizes.batch, present)
    full.push(await measureBatch(bench, operator, 'full', sizes.batch, create, present))
    say(`full ledger: ${JSON.stringify(full.at(-1))}`)
  }
  await bench.stopOperator()
  return [
    ratio(`time to sign with ${sizes.ledger} entries against none`, empty, full, ({ perSecond }) => 1 / perSecond),
    ratio('the same, CPU of the operator', empty, full, ({ cpu }) => cpu),
  ]
}

const ratio = (
  name: string,
  empty: readonly Batch[],
  full: readonly Batch[],
  cost: (batch: Batch) => number,
): Figure => {
  const base = median(empty.map(cost))
  return {
    name,
    unit: '',
    measured: median(full.map(cost)) / base,
    limit: { is: 'at most', value: 1.1 },
    note: spreadOf(full.map((batch) => cost(batch) / base)),
  }
}

const newBatch = async (bench: Bench, operator: Operator, namespace: string, { batch }: Sizes): Promise<Batch> => {
  await bench.namespace(namespace, { wait: true })
  return measureBatch(bench, operator, namespace, batch, () => bench.createCertificates(namespace, batch))
}

/** Entries of certificates that nobody holds, as signed requests leave them. */
const fill = async ({ admin }: Bench, namespace: string, template: IssuedCertificate, count: number): Promise<void> => {
  const { metadata, status } = await admin.get(certificateAuthorities, { namespace, name: authorityName })
  const authorityRef = {
    name: authorityName,
    uid: metadata.uid ?? '',
    fingerprint: status?.certificate?.fingerprint ?? '',
  }
  await inParallel(16, numbers(count), async () => {
    // The first octet of a serial number is not zero, and its first bit is.
    const serialNumber = `4A${randomBytes(15).toString('hex').toUpperCase()}`
    const { certificate } = template.spec
    await admin.create(
      issuedCertificates,
      {
        apiVersion: template.apiVersion,
        kind: template.kind,
        metadata: {
          name: `${authorityName}-${serialNumber.toLowerCase()}`,
          namespace,
          labels: template.metadata.labels ?? {},
        },
        spec: { authorityRef, serialNumber, certificate },
      },
      { fieldManager: 'bench' },
    )
  })
}
