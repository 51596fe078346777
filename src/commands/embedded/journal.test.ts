import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Journal } from './journal.ts'

const told = (reason: string, status = {}): string => {
  const stdout = new PassThrough()
  const io = { stdout, stderr: new PassThrough() } as unknown as ConstructorParameters<typeof Journal>[0]
  const metadata = { namespace: 'data', name: 'orders' }
  const regarding = { apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseCertificate', metadata, status }
  new Journal(io).events.record({ regarding, type: 'Normal', reason, action: 'Issue', note: 'Said\nso.' })
  return String(stdout.read())
}

describe('a line of the journal', () => {
  it.each([
    ['Issued', {}, 'issued    '],
    ['Issued', { revision: 1 }, 'renewed   '],
    ['Encoding', {}, 're-encoded'],
    ['RevocationListIssued', {}, 'listed    '],
    ['RotationDropSoak', {}, 'rotation  '],
    ['Applied', {}, 'applied   '],
  ])('tells of %s with %o as "%s"', (reason, status, verb) => {
    expect(told(reason, status)).toBe(`${verb} DatabaseCertificate data/orders: Said so.\n`)
  })
})
