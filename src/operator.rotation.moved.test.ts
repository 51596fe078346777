import { expect, it } from 'vitest'
import { allVerify, ask, delivered, inPhase, noSoak, rotated } from './operator.rotation.fixture.ts'
import {
  authority,
  authorityReady,
  authoritySays,
  certificate,
  fresh,
  getAuthority,
  intermediate,
  put,
  quiet,
  ready,
} from './testing.ts'

it.each(['TrustBoth', 'Signing'] as const)(
  'an intermediate that is moved below another root at %s stands still, says what to do, and goes on when it is moved back',
  async (phase) => {
    const { cluster, clock, operator } = await fresh()
    for (const name of ['root', 'other']) {
      await put(cluster, authority({ maxPathLength: 1 }, name))
      await authorityReady(cluster, name)
    }
    await put(cluster, intermediate({ maxPathLength: 0, rotation: noSoak }))
    await authorityReady(cluster)
    await put(cluster, certificate({}, 'server'))
    await ready(cluster, 'server')
    await ask(cluster, { trigger: 'one', holdAt: phase })
    await inPhase(cluster, phase)
    await quiet(operator)
    const before = await delivered(cluster, 'server')
    const { spec } = await getAuthority(cluster)
    const below = (name: string) => intermediate({ maxPathLength: 0, rotation: spec.rotation }, 'ca', { name })

    await put(cluster, below('other'))
    await authoritySays(cluster, 'AuthoritySecretInvalid', 'not in the ledger of CertificateAuthority data/other')
    await authoritySays(cluster, 'AuthoritySecretInvalid', 'put back')
    await quiet(operator)
    expect(await delivered(cluster, 'server')).toEqual(before)

    await put(cluster, below('root'))
    await authorityReady(cluster)
    await ask(cluster, { holdAt: '' })
    await rotated(cluster, 'one')
    await ready(cluster, 'server')
    await quiet(operator)
    allVerify([before, await delivered(cluster, 'server')], clock.now())
  },
)
