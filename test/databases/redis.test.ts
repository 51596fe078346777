/** What Redis and Valkey alone do: certificates of those who show one, where not everybody has to. */
import { describe, expect, it } from 'vitest'
import { Reaper } from '../controlplane/harness/process.ts'
import { redisFamily } from './scenarios/redis-family.ts'
import { Stage, strangersCertificate } from './scenarios/scenario.ts'

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
