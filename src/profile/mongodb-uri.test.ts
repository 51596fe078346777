/** The connection string that a profile of MongoDB gives, as the vendor's driver reads it. */
import fc from 'fast-check'
import { MongoClient } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { exampleOf, expanded } from './profile.fixture.ts'

const urisOf = (spec: object): string[] => {
  const { configMap } = expanded({ ...exampleOf('MongoDB'), ...spec })
  return (configMap?.data['commands.md'] ?? '').match(/mongodb:\/\/[^\s'`]*/g) ?? []
}

/** What the driver would connect with; nothing is opened. */
const optionsOf = (uri: string | undefined) => new MongoClient(uri ?? '').options

describe('the connection string', () => {
  it('of a client that is known by its certificate logs in with it', () => {
    const [uri] = urisOf({ clients: [{ name: 'app', database: 'orders' }] })
    const { hosts, tls, tlsCAFile, tlsCertificateKeyFile, credentials, dbName, ...others } = optionsOf(uri)
    expect(hosts.map(String)).toEqual(['orders.example.com:27017'])
    expect({ tls, tlsCAFile, tlsCertificateKeyFile, dbName }).toEqual({
      tls: true,
      tlsCAFile: '/etc/dbtls/ca.crt',
      tlsCertificateKeyFile: '/etc/dbtls/tls.pem',
      dbName: 'orders',
    })
    expect(credentials).toMatchObject({ mechanism: 'MONGODB-X509', source: '$external', username: '' })
    // Undefined is Node's default, which verifies chain and name.
    expect([others.rejectUnauthorized, others.checkServerIdentity]).toEqual([undefined, undefined])
    const lax = optionsOf(`${uri}&tlsAllowInvalidCertificates=true&tlsAllowInvalidHostnames=true`)
    expect([lax.rejectUnauthorized, typeof lax.checkServerIdentity]).toEqual([false, 'function'])
  })
  it('of a client with a password names its user, and shows its certificate besides', () => {
    const [uri] = urisOf({ clients: [{ name: 'app', username: 'a:b@c', require: 'TLS' }] })
    const { credentials, tlsCertificateKeyFile } = optionsOf(uri)
    expect(credentials).toMatchObject({ username: 'a:b@c', mechanism: 'DEFAULT' })
    expect(tlsCertificateKeyFile).toBe('/etc/dbtls/tls.pem')
  })
  it('leads to an address too', () => {
    const [uri] = urisOf({ connection: { host: '2001:db8::1', port: 27018 } })
    expect(optionsOf(uri).hosts.map(String)).toEqual(['[2001:db8::1]:27018'])
  })
  it('of a managed server trusts the given CA', () => {
    const [uri] = urisOf({
      ...{ engine: 'External', topology: undefined, clients: [{ name: 'app' }] },
      connection: { host: 'db.example.net', protocol: 'MongoDB' },
    })
    const { tls, tlsCAFile, tlsCertificateKeyFile } = optionsOf(uri)
    expect([tls, tlsCAFile, tlsCertificateKeyFile]).toEqual([true, '/etc/dbtls/ca.crt', undefined])
  })
  it('says every user and database that is not refused as it is', () => {
    const text = fc.oneof(
      fc.constantFrom('%', '%41', 'a/b', 'a?b=c&tls=false', '#', '[', 'ä', '+', ' x', "'", '$external', '.', '..'),
      fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
    )
    fc.assert(
      fc.property(text, text, (username, database) => {
        const clients = [{ name: 'app', username, database, require: 'TLS' }]
        const { refusals } = expanded({ ...exampleOf('MongoDB'), clients })
        if (refusals.length > 0) return
        const found = optionsOf(urisOf({ clients })[0])
        expect([found.credentials?.username, found.dbName, found.tls]).toEqual([username, database, true])
      }),
    )
  })
})
