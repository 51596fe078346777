/**
 * Real servers, started from exactly the Secret and the ConfigMap of a profile, and reached by exactly the command lines it gives:
 * who is let in, who is refused, and what a renewal, a change of CA and a broken pair do to those who connect meanwhile.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, Reaper } from '../controlplane/harness/process.ts'
import { ClientLoop } from './harness/client-loop.ts'
import { etcd } from './scenarios/etcd.ts'
import { mysqlFamily } from './scenarios/mysql-family.ts'
import { postgresqlScenarios } from './scenarios/postgresql.ts'
import { redisFamily } from './scenarios/redis-family.ts'
import { type Scenario, Stage } from './scenarios/scenario.ts'
import { clientOf, seen, servedSerial, serves } from './scenarios/sight.ts'

const reaper = new Reaper()
const scenarios: readonly Scenario[] = [...mysqlFamily, ...postgresqlScenarios, ...redisFamily, etcd]

describe.each(scenarios)('$product', (scenario) => {
  let opened: Stage | undefined
  beforeAll(async () => {
    opened = await Stage.open(scenario, reaper)
    if (opened !== undefined) console.log(`${scenario.product}: ${opened.database.place.installation.manifest}`)
  }, 600_000)
  afterAll(async () => {
    await opened?.[Symbol.asyncDispose]()
  })
  const live = (name: string, test: (stage: Stage) => Promise<void>): void =>
    it(name, async (context) => {
      if (opened === undefined) return context.skip(`${scenario.product} cannot be had here`)
      await test(opened)
    })

  for (const { name } of scenario.spec.clients)
    live(`lets ${name} in by every command line of commands.md`, async (stage) => {
      const lines = stage.lines(name)
      expect(lines).not.toEqual([])
      for (const line of lines) {
        const { shown, code } = await stage.type(line)
        expect(shown, line).toMatch(scenario.welcome[name] ?? /^$/)
        expect(code, shown).toBe(0)
      }
    })

  const { own } = scenario
  if (own !== undefined)
    live(`lets a client in by its ${own.key} alone`, async (stage) => {
      const path = join(stage.world.folder, own.key)
      writeFileSync(path, stage.world.client('app').files[own.key] ?? '', { mode: 0o600 })
      expect((await stage.type(own.line(path))).shown).toMatch(scenario.welcome['app'] ?? /^$/)
    })

  for (const { name, client, change, says, log } of scenario.refused)
    live(`refuses ${name}`, async (stage) => {
      for (const line of stage.lines(client)) {
        const changed = change(line, stage)
        expect(changed).not.toBe(line)
        const before = stage.database.logs().length
        const { shown } = await stage.type(changed)
        expect(shown, changed).toMatch(says)
        expect(shown, changed).not.toMatch(scenario.welcome[client] ?? /^/)
        if (log !== undefined)
          await eventually('the log to say why', () => Promise.resolve(log.test(stage.database.logs().slice(before))))
      }
    })

  live(
    'serves a renewed certificate after the reload that the profile names, and refuses nobody meanwhile',
    async (stage) => {
      const { world } = stage
      await using loop = new ClientLoop(() => clientOf(stage))
      await eventually('the loop to connect', () => Promise.resolve(loop.accepted > 2))
      await world.renew()
      await world.deliver()
      await stage.reload('leaf')
      await serves(stage, await world.serial('server'))
      const before = loop.accepted
      await eventually('the loop to go on', () => Promise.resolve(loop.accepted > before + 3))
      expect(await loop.stop()).toMatchObject({ refused: [] })
    },
  )

  live('follows a CA to the next one, and refuses nobody meanwhile', async (stage) => {
    const { world, database } = stage
    const restarts = world.expansion.reload?.authority === 'Restart'
    for (const step of ['Both', 'NextSigns', 'Next'] as const) {
      await using loop = new ClientLoop(() => clientOf(stage))
      await eventually('the loop to connect', () => Promise.resolve(loop.accepted > 2))
      await world.trust(step)
      await world.deliver()
      await stage.reload(step === 'NextSigns' ? 'leaf' : 'authority')
      await serves(stage, await world.serial('server'))
      const { refused } = await loop.stop()
      // While it starts anew nothing can be had of the only server.
      if (!restarts || step === 'NextSigns') expect(refused, `${database.product} ${step}`).toEqual([])
    }
    const { shown } = await stage.type(stage.line('app'))
    expect(shown).toMatch(scenario.welcome['app'] ?? /^$/)
  })

  live('does with a pair that does not belong together what the profile says', async (stage) => {
    const { world, database } = stage
    const before = await world.serial('server')
    await world.renew('server')
    const half = (key: string): string => readFileSync(world.server.volume.path(key), 'utf8')
    const oldKey = half('tls.key')
    await world.deliver()
    world.server.volume.write({ 'tls.crt': half('tls.crt'), 'tls.key': oldKey, 'ca.crt': half('ca.crt') })
    const { reload, log } = scenario.mismatch
    if (reload instanceof RegExp) await expect(stage.reload('leaf')).rejects.toThrow(reload)
    else await stage.reload('leaf')
    if (log !== undefined) await eventually('the log to say so', () => Promise.resolve(log.test(database.logs())))
    const { onMismatch } = world.expansion.reload ?? {}
    const said = reload instanceof RegExp ? 'KeepsOld' : scenario.mismatch.serves ? 'KeepsOldSilently' : 'LosesService'
    expect(onMismatch).toBe(said)
    if (scenario.mismatch.serves) expect(await servedSerial(stage)).toBe(before)
    else expect((await seen(stage)).outcome).toBe('Failed')
    await world.deliver()
    await stage.reload('leaf')
    await serves(stage, await world.serial('server'))
  })
})
