/** What Redis and Valkey alone do: certificates of those who show one, where not everybody has to. */
import { describe, expect, it } from 'vitest'
import { Reaper } from '../controlplane/harness/process.ts'
import { redisFamily } from './scenarios/redis-family.ts'
import { Stage, strangersCertificate } from './scenarios/scenario.ts'
import { serves } from './scenarios/sight.ts'

const reaper = new Reaper()

describe.each(redisFamily)('$product with a client that needs no certificate', (scenario) => {
  const clients = [
    { name: 'app', require: 'X509' },
    { name: 'report', username: 'reporting', require: 'TLS' },
  ]

  it('asks for certificates and takes none for an answer, but not one of an unknown CA', async (context) => {
    await using stage = await Stage.open({ ...scenario, spec: { ...scenario.spec, clients } }, reaper)
    if (stage === undefined) return context.skip(`${scenario.product} cannot be had here`)
    expect(stage.world.server.files[`${scenario.spec.engine.toLowerCase()}.conf`]).toContain(
      'tls-auth-clients optional',
    )
    const bare = stage.line('report').replaceAll(/ --(cert|key) \S+/g, '')
    expect((await stage.type(bare)).shown).toMatch(/"reporting"/)
    expect((await stage.type(stage.line('app'))).shown).toMatch(/"app"[^]*"optional"/)
    const { shown } = await stage.type(strangersCertificate(stage.line('report'), stage))
    expect(shown).toMatch(/I\/O error/)
    expect(shown).not.toMatch(/"reporting"/)
  })
})

it('Valkey 9.1 reads by itself what was delivered, as its valkey.conf says', async (context) => {
  const scenario = redisFamily.find(({ product }) => product === 'Valkey 9')
  if (scenario === undefined) throw new Error('there is no such scenario')
  await using stage = await Stage.open(scenario, reaper)
  if (stage === undefined) return context.skip('Valkey 9 cannot be had here')
  const { world, database } = stage
  expect(world.server.files['valkey.conf']).toContain('tls-auto-reload-interval 60\n')
  // Not a minute of a test.
  await database.statement('CONFIG SET tls-auto-reload-interval 1')
  await world.renew('server')
  await world.deliver()
  await serves(stage, await world.serial('server'))
})

it('Valkey 9.1 takes the common name of a certificate for the user, who has no password, where the profile says so', async (context) => {
  const scenario = redisFamily.find(({ product }) => product === 'Valkey 9')
  if (scenario === undefined) throw new Error('there is no such scenario')
  const clients = [
    { name: 'app', require: 'Subject' },
    { name: 'wild', username: `o'neil"#\\>x`, require: 'X509' },
  ]
  const wild = String.raw`"o'neil\"#\\>x"`
  const talk = { asks: /assword: $/, password: 'any', prompt: /(:\d+|not connected)> $/ }
  const says = ['ACL WHOAMI', 'AUTH app any', 'SET a-key its-value', 'GET a-key', 'CONFIG GET port', 'exit']
  await using stage = await Stage.open(
    {
      ...{ ...scenario, spec: { ...scenario.spec, clients }, talk: { ...talk, says } },
      prepare: ({ database, world }) =>
        database.statement(`${world.client('app').files['accounts.txt']}ACL SETUSER ${wild} >any`),
    },
    reaper,
  )
  if (stage === undefined) return context.skip('Valkey 9 cannot be had here')
  expect(stage.line('app')).not.toContain('--askpass')
  const { shown } = await stage.type(stage.line('app'))
  expect(shown).toMatch(/"app"[^]*WRONGPASS[^]*"its-value"[^]*NOPERM/)
  const { shown: other } = await stage.type(stage.line('wild'))
  expect(other).toContain(wild)
  expect(other).toMatch(/assword:[^]*WRONGPASS[^]*"its-value"[^]*NOPERM/)
})
