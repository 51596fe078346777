/** By what an engine knows a client that shows its certificate, and what that client may do. */
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { expanded, topology } from './profile.fixture.ts'

const filesOf = (spec: object): Readonly<Record<string, string>> => {
  const { refusals, configMap } = expanded({ topology, ...spec })
  expect(refusals).toEqual([])
  return configMap?.data ?? {}
}

/** As long as a common name may be; each has every character that its engine takes. */
const longest = `0._@-${'x'.repeat(59)}`

describe('OpenSearch', () => {
  const spec = (...clients: readonly object[]) => ({ engine: 'OpenSearch', clients })
  const by = (require: string, username: string) => ({
    name: `c-${require}-${username.length}`.toLowerCase(),
    username,
    require,
  })

  it('has a domain that takes the common name for the user, before the one of passwords', () => {
    const { config } = parse(filesOf(spec(by('X509', 'app')))['config.yml'] ?? '')
    const { clientcert_auth_domain: certificate, basic_internal_auth_domain: password } = config.dynamic.authc
    expect(certificate).toEqual({
      http_enabled: true,
      order: 1,
      http_authenticator: { type: 'clientcert', challenge: false, config: { username_attribute: 'cn' } },
      authentication_backend: { type: 'noop' },
    })
    expect(password).toMatchObject({
      http_authenticator: { type: 'basic' },
      authentication_backend: { type: 'intern' },
    })
    expect(password.order).toBeGreaterThan(certificate.order)
  })

  it('gives those who log in by certificate a role, and asks the others for their password whatever they show', () => {
    const files = filesOf(spec(by('X509', 'app'), by('Subject', longest), by('TLS', 'o.n')))
    expect(parse(files['roles_mapping.yml'] ?? '')).toMatchObject({
      _meta: { type: 'rolesmapping', config_version: 2 },
      own_index: { users: ['app', longest] },
    })
    const { config } = parse(files['config.yml'] ?? '')
    expect(config.dynamic.authc.clientcert_auth_domain.http_authenticator.config.skip_users).toEqual([
      'CN=o.n',
      'CN=o.n,*',
    ])
    const command = /^curl .*--user o\.n .*$/m.exec(files['commands.md'] ?? '')?.[0]
    expect(command).not.toContain('--cert ')
  })

  it('lets a user who logs in by certificate do so from every client', () => {
    const files = filesOf(spec(by('X509', 'app'), by('TLS', 'app')))
    expect(files['config.yml']).not.toContain('skip_users')
  })

  it('names a user of two clients once', () => {
    const files = filesOf(spec({ name: 'a', username: 'app' }, { name: 'b', username: 'app' }))
    expect(parse(files['roles_mapping.yml'] ?? '').own_index.users).toEqual(['app'])
  })

  it('leaves the configuration of the security plugin alone where nobody logs in by certificate', () => {
    for (const clients of [[], [by('TLS', 'app')]]) {
      const files = filesOf(spec(...clients))
      expect(Object.keys(files)).toEqual(['opensearch.yml', 'commands.md'])
      expect(files['commands.md']).not.toContain('securityadmin.sh -f')
    }
  })

  it.each([
    ['1.3', '9300'],
    ['2', '9200'],
    ['3.3', '9200'],
  ])('%s takes its configuration on port %s, from the administrator', (version, port) => {
    const page = filesOf({ ...spec(by('X509', 'app')), version })['commands.md'] ?? ''
    const commands = page.match(/^securityadmin\.sh .*$/gm) ?? []
    expect(commands.map((line) => line.split(' -icl ')[0])).toEqual([
      'securityadmin.sh -backup saved',
      'securityadmin.sh -f config.yml -t config',
      'securityadmin.sh -f roles_mapping.yml -t rolesmapping',
    ])
    for (const line of commands) {
      expect(line).toContain(` -p ${port} `)
      expect(line).toContain('-cert /etc/dbtls/admin/tls.crt -key /etc/dbtls/admin/tls.key')
    }
  })
})
