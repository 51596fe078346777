import { describe, expect, it } from 'vitest'
import { certificateAuthorities, type CertificateAuthority } from '../../resources/certificate-authority.ts'
import { ManualClock } from '../../runtime/manual-clock.ts'
import type { Target } from '../shared/target.ts'
import { authorityYaml, runVerb, useFolder } from '../shared/verb.fixture.ts'
import { main } from './rotate.ts'
import { untilAtRest } from './rotate-wait.ts'
import { main as status } from './status.ts'

const key = { namespace: 'data', name: 'ca' }
type Rotation = NonNullable<NonNullable<CertificateAuthority['status']>['rotation']>

const folder = useFolder()
const rotate = (...args: string[]) => runVerb(main, ['data/ca', ...args, ...folder.state])
const read = () => folder.inState((cluster) => cluster.get(certificateAuthorities, key))
/** As the operator reports it. */
const report = (rotation: Rotation) =>
  folder.inState(async (cluster) => {
    const found = await cluster.get(certificateAuthorities, key)
    const conditions = found.status?.conditions?.map((one) => ({
      ...one,
      ...(found.metadata.generation === undefined ? {} : { observedGeneration: found.metadata.generation }),
    }))
    const reported = { ...found, status: { ...found.status, conditions, rotation } } as CertificateAuthority
    await cluster.updateStatus(certificateAuthorities, reported, { fieldManager: 'operator' })
  })
/** As a manifest in Git says, whoever applies it. */
const declare = (rotation: object, fieldManager = 'kustomize-controller') =>
  folder.inState(async (cluster) => {
    const { apiVersion, kind } = await cluster.get(certificateAuthorities, key)
    const declared = { apiVersion, kind, metadata: key, spec: { rotation } }
    await cluster.apply(certificateAuthorities, declared as unknown as CertificateAuthority, {
      fieldManager,
      force: true,
    })
  })

describe('dbtls rotate', () => {
  it('asks for a rotation, and leaves the rest of the CA as it is', async () => {
    await folder.render(authorityYaml('ca', 'rotation: {trustSoak: 1h}'))
    const before = await read()
    const { code, out, err } = await rotate()
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('asked for  CertificateAuthority data/ca: a rotation with a new key\n')
    const { spec } = await read()
    expect(spec.rotation).toEqual({
      ...before.spec.rotation,
      ...{ trigger: expect.stringMatching(/^\d{4}-.*Z$/) as string, reason: '', trustSoak: '1h' },
    })
    expect({ ...spec, rotation: before.spec.rotation }).toEqual(before.spec)
    expect((await rotate()).out).toContain('known      CertificateAuthority data/ca: a rotation was asked for already')
  })

  it('steers one that is under way', async () => {
    await folder.render(authorityYaml())
    await report({ phase: 'TrustBoth', trigger: '', message: 'It waits.' })
    expect((await rotate('--hold', 'TrustBoth')).out).toMatch(/^held .*no rotation of it goes past TrustBoth/)
    expect((await read()).spec.rotation).toMatchObject({ holdAt: 'TrustBoth', trigger: '' })
    const { out } = await rotate('--reason', 'Compromised')
    expect(out).toMatch(/^hurried .*\nRotation: +TrustBoth \(2 of 5\)\nRotation waits for: +held here \(holdAt\)\n/)
    expect((await rotate('--release')).out).toMatch(/^released .*it was held at TrustBoth/)
    expect((await rotate('--abort')).out).toMatch(/^aborted .*at TrustBoth: the next CA is given up/)
    expect((await read()).spec.rotation).toMatchObject({
      ...{ holdAt: '', reason: 'Compromised', trigger: '' },
      abort: expect.stringMatching(/Z$/) as string,
    })
    expect((await rotate()).out).toMatch(/^queued .*when the one under way, at TrustBoth, has ended/)
  })

  it('says for programs what was done and where it stands', async () => {
    await folder.render(authorityYaml())
    await report({ phase: 'Signing', trigger: '', pending: { consumers: 0, certificates: 3 } })
    const { out } = await rotate('--hold', 'signing', '-o', 'json')
    expect(JSON.parse(out)).toEqual({
      ...{ kind: 'CertificateAuthority', namespace: 'data', name: 'ca', action: 'held' },
      ...{ changed: { holdAt: 'Signing' }, held: true, requested: false },
      rotation: { phase: 'Signing', trigger: '', pending: { consumers: 0, certificates: 3 } },
    })
  })

  it('leaves what a manifest says to the manifest, which would set it back', async () => {
    await folder.render(authorityYaml())
    await declare({ trigger: '1', holdAt: 'Signing' })
    await report({ phase: 'Idle', trigger: '1' })
    const { code, err } = await rotate()
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /spec\.rotation\.trigger of CertificateAuthority data\/ca is set by "kustomize-controller", which would set it back: change it there\n$/,
      ),
    ])
    expect((await rotate('--release')).err).toContain('spec.rotation.holdAt of CertificateAuthority data/ca is set by')
    expect((await read()).spec.rotation).toMatchObject({ trigger: '1', holdAt: 'Signing' })
  })

  it('takes over what a person wrote by hand', async () => {
    await folder.render(authorityYaml())
    await declare({ holdAt: 'Signing' }, 'kubectl-edit')
    expect((await rotate('--release')).code).toBe(0)
    expect((await read()).spec.rotation?.holdAt).toBe('')
  })

  it('outlives the manifest that does not name it', async () => {
    const yaml = authorityYaml('ca', 'rotation: {trustSoak: 1h}')
    await folder.render(yaml)
    await rotate('--hold', 'DropSoak')
    await folder.render(yaml)
    expect((await read()).spec.rotation?.holdAt).toBe('DropSoak')
  })

  it.each([
    [[], 2, 'name one CertificateAuthority'],
    [['data/ca', 'data/cb'], 2, 'name one CertificateAuthority'],
    [['data/ca', '--hold', 'Idle'], 2, '--hold is one of TrustBoth, Signing, DropSoak'],
    [['data/ca', '--wait'], 2, '--wait needs a cluster'],
    [['data/ca', '--timeout', '5'], 2, '--timeout goes with --wait'],
    [['data/nobody'], 1, 'there is no CertificateAuthority data/nobody'],
    [['data/ca', '--abort'], 1, 'CertificateAuthority data/ca: no rotation of it is under way'],
    [['data/rds'], 1, 'CertificateAuthority data/rds: it signs nothing'],
  ])('answers %j with exit code %d', async (args, expected, sentence) => {
    const anchor = authorityYaml('rds').replace('{selfSigned: {}}', '{trustOnly: {inline: "x"}}')
    await folder.render(authorityYaml() + anchor)
    const { code, err } = await runVerb(main, [...args, ...folder.state])
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence)])
  })
})

describe('waiting for a rotation', () => {
  /** Goes through the steps, one for each look, and answers what was told. */
  const follow = async (steps: readonly (Rotation | 'deleted')[], spec: object = {}, timeoutMs = Infinity) => {
    await folder.render(authorityYaml())
    await declare(spec)
    return folder.inState(async (cluster) => {
      const before = await cluster.get(certificateAuthorities, key)
      const clock = new ManualClock()
      const lines: string[] = []
      const left = [...steps]
      const step = async (): Promise<CertificateAuthority> => {
        const next = left.length > 1 ? left.shift() : left[0]
        if (next === 'deleted') await cluster.delete(certificateAuthorities, key)
        const found = await cluster.get(certificateAuthorities, key)
        return { ...found, status: { ...found.status, rotation: next } } as CertificateAuthority
      }
      const target = { cluster: { get: step }, clock, live: true } as unknown as Target
      const tell = (verb: string, text: string): void => void lines.push(`${verb} ${text}`)
      const waiting = untilAtRest(target, { before, timeoutMs, tell })
      const state = { over: false }
      void waiting.finally(() => (state.over = true))
      for (let tries = 0; !state.over && tries < 100; tries += 1) {
        await new Promise((resolve) => setImmediate(resolve))
        await clock.advance(2000)
      }
      expect(state.over).toBe(true)
      const ended = await waiting
      return { lines, problem: ended.problem }
    })
  }

  it('tells each phase once, and ends when the CA is at rest', async () => {
    const { lines, problem } = await follow([
      { phase: 'Prepared', trigger: '1', message: 'Made.' },
      { phase: 'TrustBoth', trigger: '1', message: '2 consumers do not hold it.' },
      { phase: 'TrustBoth', trigger: '1', message: '2 consumers do not hold it.' },
      { phase: 'Signing', trigger: '1', pending: { consumers: 0, certificates: 2 } },
      { phase: 'Idle', trigger: '1' },
    ])
    expect(problem).toBeUndefined()
    expect(lines).toEqual([
      'phase Prepared (1 of 5): Made.',
      'phase TrustBoth (2 of 5): 2 consumers do not hold it.',
      'phase Signing (3 of 5): 2 certificates of the former CA',
    ])
  })

  it('tells counts that shrink now and then, not each time', async () => {
    const shrinking = Array.from({ length: 20 }, (_, at): Rotation => ({
      ...{ phase: 'Signing', trigger: '' },
      pending: { consumers: 0, certificates: 100 - at },
    }))
    const { lines } = await follow([...shrinking, { phase: 'Idle', trigger: '' }])
    expect(lines.length).toBeGreaterThan(2)
    expect(lines.length).toBeLessThan(6)
  })

  it.each<[string, Rotation | 'deleted', object, string]>([
    [
      'is held and waits for nothing else',
      { phase: 'Signing', trigger: '' },
      { holdAt: 'Signing' },
      'it is held at Signing; --release',
    ],
    [
      'cannot begin',
      { phase: 'Idle', trigger: '', message: 'No rotation is begun: it is weak.' },
      { trigger: '2' },
      'it is weak',
    ],
    ['is deleted', 'deleted', {}, 'it was deleted'],
  ])('gives up where it %s', async (_, step, spec, sentence) => {
    expect((await follow([step], spec)).problem).toContain(sentence)
  })

  it('is not stopped by a hold where the rotation is being taken back', async () => {
    const held: Rotation = { phase: 'TrustBoth', trigger: '' }
    const { problem } = await follow([held, held, { phase: 'Idle', trigger: '', abort: '1' }], {
      ...{ holdAt: 'TrustBoth', abort: '1' },
    })
    expect(problem).toBeUndefined()
  })

  it('goes on while one that is held still waits for others, and says so when the time is up', async () => {
    const held: Rotation = { phase: 'Signing', trigger: '', pending: { consumers: 1, certificates: 0 } }
    const { problem } = await follow([held], { holdAt: 'Signing' }, 10_000)
    expect(problem).toBe('the time is up; Signing (3 of 5): 1 consumer without the trust bundle; held here (holdAt)')
  })
})

describe('dbtls status of a CA that rotates', () => {
  it('shows the phase, since when, and what is waited for', async () => {
    await folder.render(authorityYaml())
    await declare({ trigger: '2', trustSoak: '1h' })
    await report({
      ...{ phase: 'TrustBoth', trigger: '1', message: 'All is seen.' },
      ...{
        startedAt: '2020-01-01T00:00:00Z',
        phaseStartedAt: '2020-01-01T00:01:00Z',
        soakStartedAt: '2020-01-01T00:02:00Z',
      },
      pending: { consumers: 0, certificates: 0, endpoints: 2 },
    })
    const { out } = await runVerb(status, ['dbca/ca', '-n', 'data', ...folder.state])
    expect(out).toMatch(
      /Next: +rotation\n(?:.*\n)*Rotation: +TrustBoth \(2 of 5\), for \d+ days\nRotation began: +2020-01-01T00:00:00Z \(\d+ days ago\)\nRotation waits for: +2 servers that have not proved their trust; soak until 2020-01-01T01:02:00Z\nRotation says: +All is seen\.\nRotation: +another queued\n/,
    )
    const table = await runVerb(status, ['dbca', '-n', 'data', ...folder.state])
    expect(table.out).toMatch(/CertificateAuthority\/ca +Ready +rotation: TrustBoth/)
    const json = await runVerb(status, ['dbca', '-n', 'data', ...folder.state, '-o', 'json'])
    expect(JSON.parse(json.out)).toMatchObject({
      items: [{ rotation: { phase: 'TrustBoth', held: false, requested: true } }],
    })
  })
})
