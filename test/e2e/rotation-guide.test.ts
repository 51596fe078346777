/** docs/rotation.md and examples/rotation as a person types them on a real API server, and what is seen of it from outside. */
import { X509Certificate } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../src/cluster/port.ts'
import { admit } from '../../src/resources/validate.ts'
import { eventually, type Operator, type Output } from '../controlplane/harness/index.ts'
import { sharedControlPlane } from '../controlplane/harness/shared.ts'
import { type CustomThing, textOf } from './support/api.ts'
import { Page, typeOn } from './support/page.ts'
import { authorities, certificates, Rig } from './support/rig.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const page = new Page('docs/rotation.md')
const ns = 'data'
const blocksOf = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? []).map((one) => new X509Certificate(one))

it.each(
  page.blocks('yaml').flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as KubeObject)),
)('$kind $metadata.name of the page is valid', (object) => {
  expect(admit(object.kind, object, undefined, { unknownFields: 'Refuse' })).toHaveProperty('object')
})

describe('a rotation by the book', () => {
  let rig: Rig
  let operator: Operator
  beforeAll(async () => {
    rig = await Rig.start(sharedControlPlane(), { release: 'e2e-rotation-guide' }, [ns])
    operator = await rig.operator()
  })
  afterAll(() => rig.stop())

  const type = (command: string): Promise<Output> =>
    typeOn(rig.plane, repository, command.replace(/^dbtls /, `${repository}bin/dbtls `))
  const done = async (command: string): Promise<string> => {
    const { code, stdout, stderr } = await type(command)
    expect({ command, code, stderr }).toMatchObject({ command, code: 0 })
    return stdout
  }
  const rootNow = async (): Promise<X509Certificate | undefined> =>
    blocksOf(textOf(await rig.secret(ns, 'orders-ca-ca'), 'tls.crt'))[0]
  const trusted = async (): Promise<string[]> => {
    const map = await rig.api.get<CustomThing & { data: Record<string, string> }>('configmaps', ns, 'orders-trust')
    return blocksOf(map.data['ca.crt'] ?? '').map(({ serialNumber }) => serialNumber)
  }

  it('goes through its phases as it is typed, and ends with the new CA alone', async () => {
    const [apply, wait, rotate, status, ...more] = page.steps().map(({ command }) => command)
    expect(more).toEqual([])
    await done(apply ?? '')
    await done(wait ?? '')
    const before = await rootNow()
    const figures = eventually(
      'the figures to tell of a phase',
      async () => {
        const text = await (await fetch(`${operator.metricsUrl}/metrics`)).text()
        return /^dbtls_authority_rotation_phase\{namespace="data",name="orders-ca",phase="(TrustBoth|Signing|DropSoak)"\} 1$/m.test(
          text,
        )
      },
      { timeoutMs: 120_000, everyMs: 100 },
    )
    const shown = eventually(
      'the page to show a stage',
      async () => /<li aria-current="step">/.test(await (await fetch(`${operator.metricsUrl}/`)).text()),
      { timeoutMs: 120_000, everyMs: 100 },
    )
    const [told] = await Promise.all([done(rotate ?? ''), figures, shown])
    const lines = told.trimEnd().split('\n')
    expect(lines[0]).toBe('asked for  CertificateAuthority data/orders-ca: a rotation with a new key')
    // Each of the two soaks is longer than the time between two looks.
    expect(told).toMatch(/phase +CertificateAuthority data\/orders-ca: TrustBoth \(2 of 5\)[^]*DropSoak \(4 of 5\)/)
    expect(lines.at(-1)).toMatch(/^at rest +CertificateAuthority data\/orders-ca: serial [0-9A-F]+$/)
    const after = await rootNow()
    expect(after?.fingerprint256).not.toBe(before?.fingerprint256)
    expect(await trusted()).toEqual([after?.serialNumber])
    for (const name of ['orders-server', 'orders-app']) {
      await rig.ready(ns, certificates, name)
      const secret = await rig.secret(ns, `${name}-tls`)
      const [leaf] = blocksOf(textOf(secret, 'tls.crt'))
      expect(leaf !== undefined && after !== undefined && leaf.verify(after.publicKey)).toBe(true)
      expect(blocksOf(textOf(secret, 'ca.crt')).map(({ serialNumber }) => serialNumber)).toEqual([after?.serialNumber])
    }
    expect(await done(status ?? '')).toMatch(/State: +Ready/)
  })

  it('is held, tells so, and is taken back', async () => {
    const before = await rootNow()
    await done('dbtls rotate data/orders-ca --hold TrustBoth')
    const held = await type('dbtls rotate data/orders-ca --wait')
    expect([held.code, held.stderr]).toEqual([
      1,
      'not yet    CertificateAuthority data/orders-ca: it is held at TrustBoth; --release lets it go on\n',
    ])
    expect(await trusted()).toHaveLength(2)
    expect(await done('dbtls status dbca/orders-ca -n data')).toMatch(
      /Rotation: +TrustBoth \(2 of 5\)[^]*Rotation waits for: +[^\n]*held here \(holdAt\)/,
    )
    const text = await (await fetch(`${operator.metricsUrl}/metrics`)).text()
    expect(text).toMatch(/^dbtls_authority_rotation_held\{namespace="data",name="orders-ca"\} 1$/m)
    expect(await done('dbtls rotate data/orders-ca --abort --wait')).toMatch(/^aborted [^]*\nat rest /)
    expect((await rootNow())?.fingerprint256).toBe(before?.fingerprint256)
    await eventually('the next CA to be trusted no more', async () => (await trusted()).join() === before?.serialNumber)
    await done('dbtls rotate data/orders-ca --release')
  })

  it('is queued behind another one, and shows for programs what it waits for', async () => {
    await done('dbtls rotate data/orders-ca')
    await eventually('it to begin', async () => {
      const { status } = await rig.api.get<CustomThing & { status?: { rotation?: { phase: string } } }>(
        authorities,
        ns,
        'orders-ca',
      )
      return status?.rotation?.phase !== undefined && status.rotation.phase !== 'Idle'
    })
    const before = await rootNow()
    const told = JSON.parse(await done('dbtls rotate data/orders-ca --wait --output json')) as object
    expect(told).toMatchObject({ action: 'queued', rotation: { phase: 'Idle' }, requested: false, held: false })
    expect((await rootNow())?.fingerprint256).not.toBe(before?.fingerprint256)
    await rig.quiet()
  })
})
