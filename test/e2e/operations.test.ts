/** docs/operations.md, docs/troubleshooting.md and docs/platforms.md, typed over the quickstart on a real API server. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ControlPlane } from '../controlplane/harness/index.ts'
import type { CustomThing } from './support/api.ts'
import { Page, typeOn } from './support/page.ts'
import { certificates, Rig } from './support/rig.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const operations = new Page('docs/operations.md')
const troubleshooting = new Page('docs/troubleshooting.md')
const platforms = new Page('docs/platforms.md')

describe('the days of an operator', () => {
  // Of its own: `dbtls status -A` tells of everybody's.
  let plane: ControlPlane
  let rig: Rig
  beforeAll(async () => {
    plane = await ControlPlane.start()
    rig = await Rig.start(plane, { release: 'dbtls' }, ['data'])
    await rig.operator()
    await rig.plane.kubectlOk(['apply', '--server-side', '-f', `${repository}examples/quickstart`])
    await rig.allReady('data', 3)
  })
  afterAll(async () => {
    await rig.stop()
    await plane.stop()
  })

  const type = async (command: string): Promise<string> => {
    const { code, stdout, stderr } = await typeOn(
      rig.plane,
      repository,
      command.replace(/^dbtls /, `${repository}bin/dbtls `),
    )
    expect({ command, code, stderr }).toMatchObject({ command, code: 0 })
    return stdout
  }

  it('are looked at as docs/operations.md says', async () => {
    const [all, status, lease, events, renew, renewAll, wait, ...more] = operations
      .steps()
      .map(({ command }) => command)
    expect(more).toEqual([])
    expect(await type(all ?? '')).toContain('orders-mysql')
    expect(await type(status ?? '')).toMatch(/5 of 5 ready\n$/)
    expect(await type(lease ?? '')).toMatch(/^dbtls-\d+_/)
    await type(events ?? '')
    const serial = async (): Promise<string | undefined> =>
      (await rig.api.get<CustomThing>(certificates, 'data', 'orders-mysql')).status?.serialNumber
    const before = await serial()
    await type(renew ?? '')
    await type(renewAll ?? '')
    await type(wait ?? '')
    expect(await serial()).not.toBe(before)
  })

  it('are looked into as docs/troubleshooting.md says', async () => {
    const [all, describeOne, status, ...more] = troubleshooting.steps().map(({ command }) => command)
    expect(more).toEqual([])
    expect(await type(all ?? '')).toContain('acme-root')
    expect(await type(describeOne ?? '')).toMatch(/Reason: +Issued/)
    expect(await type(status ?? '')).toContain('5 of 5 ready')
  })

  it('have key files of the mode that docs/platforms.md says', async () => {
    const [manifest = '', ...more] = platforms.blocks('yaml')
    expect(more).toEqual([])
    const seen = JSON.parse(
      await rig.plane.kubectlOk(['create', '--dry-run=server', '--validate=strict', '-o', 'json', '-f', '-'], manifest),
    ) as { spec: { template: { spec: { volumes: { secret: { defaultMode: number } }[] } } } }
    expect(seen.spec.template.spec.volumes.map(({ secret }) => secret.defaultMode)).toEqual([0o640])
  })
})
