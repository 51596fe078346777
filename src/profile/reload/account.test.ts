import { describe, expect, it } from 'vitest'
import { type Context, marks } from '../../control/context.ts'
import { makeAuthority, makePair } from '../../database/connect/testing.ts'
import { secrets } from '../../resources/core.ts'
import type { DatabaseCertificate } from '../../resources/database-certificate.ts'
import { certificate, emptyCluster, person, secretOf } from '../../testing.ts'
import { profileOf } from '../profile.fixture.ts'
import { AccountProblem, readAccount } from './account.ts'

const profile = (reload: object) =>
  profileOf({ engine: 'MySQL', topology: { services: ['orders'] }, clients: [{ name: 'app' }], reload })
const byName = profile({ strategy: 'SQL', credentialsSecretRef: { name: 'reloader' } })
const byClient = profile({ strategy: 'SQL', client: 'app' })
const ofClient = certificate({ secret: { name: 'reloader' } }, 'orders-app') as DatabaseCertificate

const offered = { [marks.reloadCredentials]: 'orders' }
const owned = { [marks.owner]: 'DatabaseCertificate/orders-app' }

const read = async (
  from: typeof byName,
  contents: Record<string, string>,
  annotations: Readonly<Record<string, string>> | undefined = { ...offered, ...owned },
) => {
  const { cluster } = emptyCluster()
  const secret = secretOf('reloader', contents)
  await cluster.apply(secrets, { ...secret, metadata: { ...secret.metadata, annotations } }, person)
  const context = { cluster } as unknown as Context
  return readAccount(context, from, () => ofClient, new AbortController().signal)
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
        await expect(refused).rejects.toThrow(AccountProblem)
        await expect(refused).rejects.toThrow(words)
      }
    }
  })
  it('of a client is that of a Secret which was written for it, and no other of that name', async () => {
    const ca = await makeAuthority('Orders CA')
    const { chain, key } = await makePair(ca, 'Client')
    const pair = { 'tls.crt': chain, 'tls.key': key }
    for (const annotations of [{}, offered, { [marks.owner]: 'DatabaseCertificate/payroll-app' }])
      await expect(read(byClient, pair, annotations)).rejects.toThrow(/client "app" .* has no certificate yet/)
  })
})

describe('the Secret of the account', () => {
  const account = { username: 'root', password: 'geheim' }

  it.each(['orders', 'billing, orders', ' orders ,billing'])(
    'is read where it names the profile: %j',
    async (profiles) => {
      expect(await read(byName, account, { [marks.reloadCredentials]: profiles })).toEqual(account)
    },
  )
  it.each([
    ['nobody', {}],
    ['somebody else', { [marks.reloadCredentials]: 'billing' }],
    ['a part of the name', { [marks.reloadCredentials]: 'order,orders-2,orders.data' }],
    ['everybody, as it seems', { [marks.reloadCredentials]: 'true' }],
    ['whoever may write it', owned],
  ])('is not looked into where it names %s', async (_, annotations) => {
    for (const contents of [account, {}, { 'tls.crt': 'x', 'tls.key': 'y' }]) {
      const refused = read(byName, contents, annotations)
      await expect(refused).rejects.toMatchObject({
        reason: 'AccountNotOffered',
        message: expect.stringMatching(
          /^Secret "reloader" .* annotate it with dbtls\.dev\/reload-credentials: "orders"$/,
        ),
      })
    }
  })
})
