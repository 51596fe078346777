import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { AuditReader, countRequests, forbiddenOf, usedPermissions, writesOf } from './audit.ts'
import type { AuditLine } from './audit.ts'

const line = (
  verb: string,
  resource: string,
  more: Partial<AuditLine> & { at?: number; subresource?: string } = {},
): AuditLine => ({
  auditID: 'x',
  stage: 'ResponseComplete',
  verb,
  requestURI: '/api',
  user: { username: 'operator' },
  objectRef: { apiGroup: 'g', resource, ...(more.subresource === undefined ? {} : { subresource: more.subresource }) },
  requestReceivedTimestamp: new Date(more.at ?? 1000).toISOString(),
  stageTimestamp: new Date(more.at ?? 1000).toISOString(),
  ...more,
})

it('counts by verb and resource within a span of time and of one user', () => {
  const lines = [
    line('patch', 'secrets', { at: 999 }),
    line('patch', 'secrets', { at: 1000 }),
    line('update', 'things', { at: 1500, subresource: 'status' }),
    line('patch', 'secrets', { at: 2000 }),
    line('patch', 'secrets', { at: 1500, user: { username: 'somebody' } }),
  ]
  const counts = countRequests(lines, { user: 'operator', since: 1000, until: 2000 })
  expect([...counts]).toEqual([
    ['patch secrets', 1],
    ['update things/status', 1],
  ])
})

it('does not count a Lease as a write, nor a read', () => {
  const lines = [line('update', 'leases'), line('get', 'secrets'), line('create', 'issuedcertificates')]
  expect(writesOf(lines, {}).map(({ objectRef }) => objectRef?.resource)).toEqual(['issuedcertificates'])
})

it('takes a patch that created for a use of create', () => {
  const made = line('patch', 'secrets', { responseStatus: { code: 201 } })
  const changed = line('patch', 'configmaps', { responseStatus: { code: 200 } })
  expect([...usedPermissions([made, changed], {})]).toEqual([
    'patch g/secrets',
    'create g/secrets',
    'patch g/configmaps',
  ])
})

it('tells what RBAC refused from what a webhook or a dying namespace did', () => {
  const refused = line('get', 'secrets', { annotations: { 'authorization.k8s.io/decision': 'forbid' } })
  const allowed = line('create', 'secrets', {
    responseStatus: { code: 403 },
    annotations: { 'authorization.k8s.io/decision': 'allow' },
  })
  expect(forbiddenOf([refused, allowed], {})).toEqual([refused])
})

it('reads a growing file once, whole lines only', () => {
  const dir = mkdtempSync(join(tmpdir(), 'dbtls-audit-'))
  try {
    const file = join(dir, 'audit.log')
    const [first, second] = [line('get', 'größe'), line('list', 'secrets')].map((one) =>
      Buffer.from(`${JSON.stringify(one)}\n`),
    )
    if (first === undefined || second === undefined) throw new Error('two lines')
    // Cut inside a character.
    const cut = first.indexOf(0xc3) + 1
    writeFileSync(file, first.subarray(0, cut))
    const reader = new AuditReader(file)
    expect(reader.lines()).toHaveLength(0)
    appendFileSync(file, first.subarray(cut))
    appendFileSync(file, second)
    expect(reader.lines().map(({ objectRef }) => objectRef?.resource)).toEqual(['größe', 'secrets'])
    expect(reader.lines()).toHaveLength(2)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

it('reads on after an entry that a killed server did not end, and says so', () => {
  const dir = mkdtempSync(join(tmpdir(), 'dbtls-audit-'))
  try {
    const file = join(dir, 'audit.log')
    const texts = ['pods', 'secrets', 'leases'].map((name) => JSON.stringify({ kind: 'Event', ...line('get', name) }))
    const [first = '', second = '', third = ''] = texts
    writeFileSync(file, `${first}\n${second.slice(0, 50)}${second.slice(0, 9)}${second}\n${third}\n`)
    const reader = new AuditReader(file)
    expect(reader.lines().map(({ objectRef, torn }) => [objectRef?.resource, torn])).toEqual([
      ['pods', undefined],
      ['secrets', `${second.slice(0, 50)}${second.slice(0, 9)}`],
      ['leases', undefined],
    ])
    appendFileSync(file, 'nonsense\n')
    expect(() => reader.lines()).toThrow('not an entry of an audit log: nonsense')
  } finally {
    rmSync(dir, { recursive: true })
  }
})
