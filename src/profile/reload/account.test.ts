import { describe, expect, it } from 'vitest'
import type { Context } from '../../control/context.ts'
import { makeAuthority, makePair } from '../../database/connect/testing.ts'
import { secrets } from '../../resources/core.ts'
import { emptyCluster, person, secretOf } from '../../testing.ts'
import { profileOf } from '../profile.fixture.ts'
import { AccountMissing, readAccount } from './account.ts'

const profile = (reload: object) =>
  profileOf({ engine: 'MySQL', topology: { services: ['orders'] }, clients: [{ name: 'app' }], reload })
const byName = profile({ strategy: 'SQL', credentialsSecretRef: { name: 'reloader' } })
const byClient = profile({ strategy: 'SQL', client: 'app' })

const read = async (from: typeof byName, contents: Record<string, string>) => {
  const { cluster } = emptyCluster()
  await cluster.apply(secrets, secretOf('reloader', contents), person)
  const context = { cluster } as unknown as Context
  return readAccount(context, from, () => 'reloader', new AbortController().signal)
}

describe('the certificate of the account', () => {
  it('has to be one, and its key its own', async () => {
    const ca = await makeAuthority('Orders CA')
    const [one, other] = [await makePair(ca, 'Client'), await makePair(ca, 'Client')]
    const pair = { 'tls.crt': one.chain, 'tls.key': one.key }
    const sealed = '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n'
    for (const from of [byName, byClient]) {
      expect((await read(from, pair)).certificate?.key).toContain('PRIVATE KEY')
      for (const [wrong, words] of [
        [{ ...pair, 'tls.key': other.key }, /Secret "reloader" .* do not belong together; put/],
        [{ ...pair, 'tls.key': sealed }, /Secret "reloader" .* can be read; put PEM/],
        [{ ...pair, 'tls.crt': 'certificate' }, /Secret "reloader" .* can be read; put PEM/],
      ] as const) {
        const refused = read(from, wrong)
        await expect(refused).rejects.toThrow(AccountMissing)
        await expect(refused).rejects.toThrow(words)
      }
    }
  })
})
