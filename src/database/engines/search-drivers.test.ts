/** Lines for the drivers of Elasticsearch and OpenSearch; test/databases/search-drivers.test.ts runs them. */
import { describe, expect, it } from 'vitest'
import type { Client, Context } from './engine.ts'
import { filesOf } from './files.ts'
import { definitions } from './index.ts'
import { parseVersion } from './version.ts'

const engines = ['Elasticsearch', 'OpenSearch'] as const
type Search = (typeof engines)[number]

const mounted = { secretName: 's', folder: '/m', files: filesOf('/m', []), subject: {} }
const pageOf = (engine: Search, version: string, more: Partial<Client> = {}): string => {
  const client: Client = {
    ...mounted,
    ...{ name: 'app', username: 'app', host: '%', require: 'X509', java: false, subject: { commonName: 'app' } },
    trust: { pem: '/m/ca.crt', store: '/m/truststore.p12', storeType: 'PKCS12' },
    ...more,
  }
  const context: Context = {
    ...{ profile: 'orders', namespace: 'data', version: parseVersion(version) ?? [], managed: false },
    ...{ host: 'db.example.com', port: 9200, server: mounted, components: new Map(), clientTrust: '/m/ca.crt' },
    clients: [client],
  }
  return definitions[engine].clientFiles(context)['commands.md'] ?? ''
}

describe('lines for drivers', () => {
  it('are in the words of the drivers of that version', () => {
    const byPassword = { require: 'TLS', java: true } as const
    const seven = pageOf('Elasticsearch', '7.17', byPassword)
    expect(seven).toContain('\n  ssl: {\n')
    expect(seven).toContain('\n    http_auth=("app", os.environ["ELASTICSEARCH_PASSWORD"]),\n')
    expect(seven).toContain('RestClient.builder(new HttpHost("db.example.com", 9200, "https"))')
    const eight = pageOf('Elasticsearch', '8.19', byPassword)
    expect(eight).toContain('\n  tls: {\n')
    expect(eight).toContain('\n    basic_auth=("app", os.environ["ELASTICSEARCH_PASSWORD"]),\n')
    expect(eight).toContain('RestClient.builder(new HttpHost("db.example.com", 9200, "https"))')
    expect(pageOf('Elasticsearch', '9', byPassword)).toContain('Rest5Client.builder(host)')
  })

  it.each(engines)('of %s show a certificate, or a password, never both', (engine) => {
    const shown = /client_cert=|\bcert: readFileSync|loadKeyMaterial|--cert /
    const certified = pageOf(engine, definitions[engine].versions.newest, { java: true })
    expect(certified).toMatch(shown)
    expect(certified).not.toMatch(/_PASSWORD"?\]? holds the user's|_auth=|\bauth: |setCredentials|--user /)
    const known = pageOf(engine, definitions[engine].versions.newest, { java: true, require: 'TLS' })
    expect(known).not.toMatch(shown)
    expect(known).toMatch(/_auth=\("app", os\.environ\["[A-Z]+_PASSWORD"\]\)/)
  })

  it.each(engines)('of %s for Java are there where its stores are', (engine) => {
    expect(pageOf(engine, definitions[engine].versions.newest)).not.toContain('```java')
    const trust = { pem: '/t/ca.crt', store: '/t/truststore.p12', storeType: 'PKCS12', password: 'public' } as const
    const bare = pageOf(engine, definitions[engine].versions.newest, {
      java: true,
      require: 'TLS',
      subject: undefined,
      trust,
    })
    expect(bare).toContain('.loadTrustMaterial(new File("/t/truststore.p12"), "public".toCharArray())')
    expect(bare).not.toContain('KEYSTORE_PASSWORD')
  })
})
