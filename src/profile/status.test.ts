import { describe, expect, it } from 'vitest'
import { stall, wait } from '../control/decision.ts'
import type { DatabaseCertificate } from '../resources/database-certificate.ts'
import { exampleOf, expanded, profileOf } from './profile.fixture.ts'
import { certificateFindings, isOnlyFacts, listedCertificates, outcomeOf } from './status.ts'

const expansion = expanded(exampleOf('PostgreSQL'))
const names = expansion.certificates.map(({ name }) => name)

type Said = { readonly reason: string; readonly message?: string; readonly stalled?: boolean; readonly of?: number }
const certificateOf = (name: string, said?: Said): DatabaseCertificate => {
  const found = expansion.certificates.find((one) => one.name === name)
  const { reason = '', message = 'words', stalled = false, of = 1 } = said ?? {}
  const one = { observedGeneration: of, reason, message, lastTransitionTime: '' }
  const status = reason === 'Issued' ? 'True' : 'False'
  const conditions = [
    { type: 'Ready', status, ...one },
    ...(stalled ? [{ type: 'Stalled', status: 'True', ...one }] : []),
  ]
  const spec = found?.spec ?? { role: 'Client', secret: { name: `${name}-tls` } }
  const object = {
    metadata: { name, namespace: 'data', generation: 1 },
    spec,
    status: said && { conditions, serialNumber: name },
  }
  return object as unknown as DatabaseCertificate
}
const present = (said: Readonly<Record<string, Said | undefined>>) =>
  new Map(names.map((name) => [name, certificateOf(name, name in said ? said[name] : { reason: 'Issued' })]))

const [first = '', second = ''] = names

describe('what keeps the certificates of a profile', () => {
  it.each([
    ['nothing', {}, []],
    ['one that nobody has looked at', { [first]: undefined }, [wait('Issuing', 'Certificates are being issued.')]],
    [
      'one of a former generation',
      { [first]: { reason: 'Issued', of: 0 } },
      [wait('Issuing', 'Certificates are being issued.')],
    ],
    [
      'one that waits',
      { [second]: { reason: 'AuthorityNotReady' } },
      [wait('CertificatesNotReady', `Not Ready of ${names.length} certificates: ${second}: AuthorityNotReady: words`)],
    ],
    [
      'one that is stalled before one that waits',
      { [first]: { reason: 'AuthorityNotReady' }, [second]: { reason: 'PolicyViolation', stalled: true } },
      [
        stall(
          'CertificatesNotReady',
          `Not Ready of ${names.length} certificates: ${second}: PolicyViolation: words ${first}: AuthorityNotReady: words`,
        ),
      ],
    ],
  ] as const)('%s', (_what, said, findings) => {
    expect(certificateFindings(expansion, present(said))).toEqual(findings)
  })

  it('is named for the first three, and shortly', () => {
    const long = { reason: 'PolicyViolation', stalled: true, message: 'x'.repeat(4000) }
    const many = { certificates: expansion.certificates.flatMap((one) => [one, { ...one, name: `${one.name}-more` }]) }
    const all = new Map(many.certificates.map(({ name }) => [name, certificateOf(name, long)]))
    const [finding] = certificateFindings(many, all)
    expect(finding?.message.length).toBeLessThan(1500)
    expect(finding?.message).toContain(` And ${all.size - 3} more.`)
    for (const name of [first, `${first}-more`, second]) expect(finding?.message).toContain(`${name}: PolicyViolation`)
  })
})

describe('the certificates in status', () => {
  it('stand in the order of the profile, and then those that are not asked for now', () => {
    const all = new Map(
      [certificateOf('left', { reason: 'Issued' }), ...present({}).values()].map((one) => [one.metadata.name, one]),
    )
    const listed = listedCertificates(expansion, all)
    expect(listed.map(({ name }) => name)).toEqual([...names, 'left'])
    expect(listed[0]).toEqual({ name: first, secretName: 'orders-server-tls', role: 'Server', serialNumber: first })
  })

  it('say nothing of a serial number before there is one', () => {
    const [listed] = listedCertificates(expansion, present({ [first]: undefined }))
    expect(listed).not.toHaveProperty('serialNumber')
  })
})

describe('the outcome', () => {
  it('is the worst of all findings, in sentences', () => {
    const findings = [
      wait('AuthorityNotReady', 'One.'),
      stall('ProfileInvalid', 'Two.'),
      stall('ConfigMapInTheWay', 'Three.'),
    ]
    expect(outcomeOf(expansion, findings, [])).toMatchObject({
      state: 'Stalled',
      reason: 'ProfileInvalid',
      message: 'Two. Three.',
    })
    expect(outcomeOf(expansion, findings.slice(0, 1), [])).toMatchObject({
      state: 'Reconciling',
      reason: 'AuthorityNotReady',
      message: 'One.',
    })
  })

  it('is Ready with what collaborators and the engine have to say', () => {
    const verdict = { facts: {}, findings: [], notes: ['A note.'] }
    const warned = { ...expansion, warnings: [{ field: 'spec.x', problem: 'it is odd', cure: 'change it' }] }
    const { state, message } = outcomeOf(warned, [], [verdict])
    expect(state).toBe('Ready')
    expect(message).toBe(
      `All ${names.length} certificates are delivered. ConfigMap "orders-tls-config" holds files and commands. A note. Mind spec.x: it is odd; change it.`,
    )
  })

  it('is about facts alone where its words are those that stand', () => {
    const outcome = { state: 'Ready', reason: 'Ready', message: 'x' } as const
    const condition = {
      type: 'Ready',
      status: 'True',
      observedGeneration: 2,
      reason: 'Ready',
      message: 'x',
      lastTransitionTime: '',
    } as const
    const status = { observedGeneration: 2, conditions: [condition], certificates: [] }
    const profile = { ...profileOf(exampleOf('MySQL'), { generation: 2 }), status }
    const certificates = [{ name: 'x' }]
    expect(isOnlyFacts(profile, { certificates }, outcome)).toBe(true)
    expect(isOnlyFacts(profile, { certificates: [] }, outcome)).toBe(false)
    expect(isOnlyFacts(profile, { certificates }, { ...outcome, message: 'y' })).toBe(false)
    expect(isOnlyFacts(profile, { certificates }, { ...outcome, state: 'Stalled' })).toBe(false)
    expect(
      isOnlyFacts({ ...profile, metadata: { ...profile.metadata, generation: 3 } }, { certificates }, outcome),
    ).toBe(false)
    expect(isOnlyFacts({ ...profile, status: {} }, { certificates }, outcome)).toBe(false)
  })
})
