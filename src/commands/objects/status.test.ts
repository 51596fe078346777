import { describe, expect, it } from 'vitest'
import { databaseCertificates } from '../../resources/database-certificate.ts'
import { databaseTLSProfiles } from '../../resources/database-tls-profile.ts'
import { main } from './status.ts'
import { byUrgency, type ObjectState, stateOf, type WithStatus } from './status-of.ts'
import { authorityYaml, certificateYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'

describe('dbtls status', () => {
  const folder = useFolder()

  it('shows what is ready, and when it is renewed', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    const { code, out, err } = await runVerb(main, ['-n', 'data', ...folder.state])
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/DatabaseCertificate\/orders +Ready +renewal in \d+ days +\d{4}-/)
    expect(out).toContain('2 of 2 ready')
  })
  it('tells each thing that is not ready on stderr, with its sentence, and first in the table', async () => {
    await folder.render(authorityYaml() + certificateYaml('a') + certificateYaml('lost', '', 'nobody'))
    const { code, out, err } = await runVerb(main, ['-A', ...folder.state])
    expect(code).toBe(1)
    expect(err).toMatch(
      /^stalled +DatabaseCertificate data\/lost: AuthorityNotFound: CertificateAuthority data\/nobody/,
    )
    expect(out.split('\n')[1]).toMatch(/^data +DatabaseCertificate\/lost +Stalled/)
  })
  it.each(['dbcert/orders', 'databasecertificate/orders', 'DatabaseCertificates/data/orders'])(
    'describes %s',
    async (word) => {
      await folder.render(authorityYaml() + certificateYaml())
      const { code, out } = await runVerb(main, [word, '-n', 'data', ...folder.state])
      expect(code).toBe(0)
      expect(out).toMatch(/State: +Ready \(Issued\)/)
      expect(out).toMatch(/Serial number: +[0-9A-F]{32}/)
      expect(out).toMatch(/Next: +renewal at 20.*\(in \d+ days\)/)
    },
  )
  it('warns of a CA that is Ready and cannot make its list', async () => {
    const inTheWay = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ca-crl, namespace: data}\ndata: {a: b}\n---\n'
    await folder.render(inTheWay + authorityYaml('ca', 'crl: {}'))
    const { code, err } = await runVerb(main, ['dbca', '-n', 'data', ...folder.state])
    const sentence = 'ConfigMap "ca-crl" was not made by dbtls'
    expect([code, err]).toEqual([
      0,
      expect.stringContaining(`warning    CertificateAuthority data/ca: ConfigMapInTheWay: ${sentence}`),
    ])
    const { out } = await runVerb(main, ['dbca', '-n', 'data', ...folder.state, '-o', 'json'])
    expect((JSON.parse(out) as { items: ObjectState[] }).items[0]?.warnings).toMatchObject([
      { reason: 'ConfigMapInTheWay', message: expect.stringContaining(sentence) as string },
    ])
  })
  it('tells of servers that do not serve what they should, which fails nothing', async () => {
    const message = '1 of 2 endpoints: db-0:3306: It still serves 0A and not 0B.'
    await folder.render(authorityYaml())
    const profile = {
      ...{ apiVersion: 'dbtls.dev/v1alpha1', kind: 'DatabaseTLSProfile' },
      metadata: { name: 'orders', namespace: 'data', generation: 1 },
      spec: { engine: 'MySQL', authorityRef: { name: 'ca' }, topology: { services: ['db'] }, probe: {} },
    }
    await folder.inState(async (cluster) => {
      const { metadata } = await cluster.apply(databaseTLSProfiles, profile as never, {
        fieldManager: 'x',
        force: true,
      })
      const common = { observedGeneration: metadata.generation ?? 1, lastTransitionTime: '2026-11-21T18:00:00Z' }
      const status = {
        conditions: [
          { ...common, type: 'Ready', status: 'True', reason: 'Ready', message: 'all there' },
          { ...common, type: 'Serving', status: 'False', reason: 'OldCertificateServed', message },
        ],
        endpoints: [
          { address: 'db-0:3306', servedSerial: '0A', message: 'It still serves 0A and not 0B.' },
          { address: 'db-1:3306', servedSerial: '0B', message: 'It serves the current one.' },
        ],
      }
      await cluster.updateStatus(databaseTLSProfiles, { ...profile, metadata, status } as never, { fieldManager: 'x' })
    })
    const { code, out, err } = await runVerb(main, ['dbtls/orders', '-n', 'data', ...folder.state])
    expect([code, err]).toEqual([0, `servers    DatabaseTLSProfile data/orders: OldCertificateServed: ${message}\n`])
    expect(out).toMatch(/State: +Ready \(Ready\)/)
    expect(out).toMatch(/Serving: +False \(OldCertificateServed\)/)
    expect(out).toMatch(/Endpoint: +db-0:3306: It still serves 0A and not 0B\.\nEndpoint: +db-1:3306: /)
    const told = await runVerb(main, ['dbtls', '-n', 'data', ...folder.state, '-o', 'json'])
    expect(JSON.parse(told.out)).toMatchObject({
      ready: true,
      items: [{ endpoints: [{ servedSerial: '0A' }, {}], serving: { status: 'False', message } }],
    })
  })
  it('prints a stable shape for programs', async () => {
    await folder.render(authorityYaml() + certificateYaml())
    const { out } = await runVerb(main, ['dbcert', '-n', 'data', ...folder.state, '-o', 'json'])
    const { ready, items } = JSON.parse(out) as { ready: boolean; items: ObjectState[] }
    expect(ready).toBe(true)
    expect(items).toEqual([
      {
        ...{ kind: 'DatabaseCertificate', namespace: 'data', name: 'orders', state: 'Ready', reason: 'Issued' },
        message: expect.any(String) as string,
        serialNumber: expect.stringMatching(/^[0-9A-F]+$/) as string,
        notAfter: expect.stringMatching(/Z$/) as string,
        next: { action: 'Renew', at: expect.stringMatching(/Z$/) as string },
        due: false,
      },
    ])
  })
  it.each([
    [['pod/x'], 2, '"pod" is not one of certificateauthority'],
    [['dbcert/x', 'dbcert/y'], 2, 'one KIND/NAME at a time'],
    [['dbcert/missing'], 1, 'there is no DatabaseCertificate default/missing'],
    [['-o', 'xml'], 2, '--output is table, json or yaml'],
    [['--colour'], 2, 'colour'],
  ])('answers %j with exit code %d', async (args, expected, sentence) => {
    await folder.render(authorityYaml())
    const { code, err } = await runVerb(main, [...args, ...folder.state])
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence)])
  })
  it('says so where nothing is', async () => {
    await folder.inState((cluster) => cluster.list(databaseCertificates))
    const { code, out } = await runVerb(main, folder.state)
    expect([code, out]).toEqual([0, 'nothing found in namespace default\n'])
  })
})

describe('the state of an object', () => {
  const now = Date.parse('2027-01-10T00:00:00Z')
  const object = (name: string, status: WithStatus['status'], ready = 'True'): WithStatus => ({
    apiVersion: 'dbtls.dev/v1alpha1',
    kind: 'CertificateAuthority',
    metadata: { name, namespace: 'data', generation: 1 },
    spec: {},
    status: {
      conditions: [
        {
          type: 'Ready',
          status: ready as 'True',
          observedGeneration: 1,
          lastTransitionTime: '',
          reason: 'R',
          message: 'M.',
        },
      ],
      ...status,
    },
  })
  const crl = { number: 3, entries: 2, thisUpdate: '2027-01-01T00:00:00Z', nextUpdate: '2027-01-20T00:00:00Z' }
  it.each<[string, WithStatus['status'], ObjectState['next'], boolean]>([
    ['a renewal to come', { renewAt: '2027-02-01T00:00:00Z' }, { action: 'Renew', at: '2027-02-01T00:00:00Z' }, false],
    ['a renewal overdue', { renewAt: '2027-01-09T00:00:00Z' }, { action: 'Renew', at: '2027-01-09T00:00:00Z' }, true],
    [
      'the list before the renewal',
      { renewAt: '2028-01-09T00:00:00Z', crl },
      { action: 'RevocationList', at: crl.nextUpdate },
      false,
    ],
    [
      'the retry before all',
      { renewAt: '2027-01-09T00:00:00Z', nextAttemptAt: '2027-01-11T00:00:00Z' },
      { action: 'Retry', at: '2027-01-11T00:00:00Z' },
      false,
    ],
    ['a rotation', { rotation: { phase: 'Signing' }, renewAt: '2028-01-09T00:00:00Z' }, { action: 'Rotation' }, false],
    ['nothing', {}, undefined, false],
  ])('names %s', (_, status, next, due) => {
    const state = stateOf(object('a', status), now)
    expect([state.next, state.due]).toEqual([next, due])
  })
  it('puts what needs somebody first', () => {
    const stalled = object('stalled', { conditions: [] }, 'False')
    const states = [
      object('later', { renewAt: '2027-03-01T00:00:00Z' }),
      object('sooner', { renewAt: '2027-02-01T00:00:00Z' }),
      object('failing', { failedAttempts: 2 }, 'False'),
      object('waiting', {}, 'False'),
      stalled,
    ].map((one) => stateOf(one, now))
    expect(states.toSorted(byUrgency).map(({ name, state }) => `${name} ${state}`)).toEqual([
      'failing Failing',
      'stalled Pending',
      'waiting Pending',
      'sooner Ready',
      'later Ready',
    ])
  })
})
