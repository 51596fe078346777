/** The SQL that a profile of TiDB gives, before TiDB's own parser (pkg/parser), since there is no TiDB to run it. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { definitions } from '../../src/database/engines/index.ts'
import { distinguishedName } from '../../src/pki/names/names.ts'
import { authority, exampleOf, expanded } from '../../src/profile/profile.fixture.ts'
import { must } from '../controlplane/harness/process.ts'
import { goProgram, missing } from './tools.ts'

interface Statement {
  readonly kind?: string
  readonly accounts?: readonly { readonly user: string; readonly host: string }[]
  readonly require?: readonly (readonly [string, string])[]
  readonly sets?: readonly string[]
  readonly error?: string
}

/** In which strings, quotes and backslashes mean different things. */
const modes = ['', 'ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES', 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES']

let program: string | undefined
beforeAll(async () => {
  if (!(await missing('go', 'version'))) program = await goProgram('tidb')
  if (program === undefined) console.error('SKIPPED: the parser of TiDB as a judge of its SQL: it cannot be built')
}, 600_000)

const parsed = async (sql: string, mode = ''): Promise<Statement[]> => {
  const { stdout } = await must(program ?? '', mode === '' ? [] : [mode], { stdin: sql })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Statement)
}

const spec = (clients: readonly object[]) => ({ ...exampleOf('TiDB'), clients })
const accountsOf = (clients: readonly object[]): string | undefined =>
  expanded(spec(clients)).configMap?.data['accounts.sql']

describe('SQL for TiDB', () => {
  it('demands of each account what the profile says', async (context) => {
    if (program === undefined) return context.skip('there is no parser of TiDB')
    const sql = accountsOf([
      { name: 'none', require: 'None' },
      { name: 'tls', require: 'TLS', host: '10.0.0.%' },
      { name: 'x509', username: "o'neil" },
      { name: 'subject', require: 'Subject' },
      { name: 'issuer', require: 'Issuer' },
    ])
    for (const mode of modes)
      expect(await parsed(sql ?? '', mode), mode).toEqual([
        { kind: 'SET', sets: ['SetNAMES'] },
        { kind: 'SET', sets: ['GLOBAL require_secure_transport'] },
        { kind: 'ALTER USER', accounts: [{ user: 'none', host: '%' }], require: [['NONE', '']] },
        { kind: 'ALTER USER', accounts: [{ user: 'tls', host: '10.0.0.%' }], require: [['SSL', '']] },
        { kind: 'ALTER USER', accounts: [{ user: "o'neil", host: '%' }], require: [['X509', '']] },
        { kind: 'ALTER USER', accounts: [{ user: 'subject', host: '%' }], require: [['SUBJECT', '/CN=subject']] },
        {
          kind: 'ALTER USER',
          accounts: [{ user: 'issuer', host: '%' }],
          require: [['ISSUER', '/O=Acme/CN=Orders CA']],
        },
      ])
  })

  it('reloads as TiDB knows it, and never at the cost of TLS', async (context) => {
    if (program === undefined) return context.skip('there is no parser of TiDB')
    const { statements } = definitions.TiDB.reload([8, 5], {
      server: { secretName: 's', folder: '/', files: {} as never, subject: {} },
      ...{ clientTrust: '', components: new Map() },
    })
    expect(await parsed(statements.join(';'))).toEqual([{ kind: 'ALTER INSTANCE RELOAD TLS' }])
    const commands = expanded(exampleOf('TiDB')).configMap?.data['commands.md'] ?? ''
    const blocks = [...commands.matchAll(/^```sql\n([^]*?)^```$/gm)].map(([, sql = '']) => sql)
    expect(await parsed(blocks.join('\n'))).toEqual([{ kind: 'SHOW' }, { kind: 'ALTER INSTANCE RELOAD TLS' }])
  })

  it('finds fault with what is no SQL of TiDB', async (context) => {
    if (program === undefined) return context.skip('there is no parser of TiDB')
    for (const sql of ["ALTER USER 'a'@'%' REQUIRE NOBODY;", "ALTER USER 'o'neil'@'%' REQUIRE SSL;"])
      expect(await parsed(sql)).toEqual([{ error: expect.stringContaining('near') as string }])
  })

  it('names the accounts that were asked for, whatever they are called, in every mode', async (context) => {
    if (program === undefined) return context.skip('there is no parser of TiDB')
    const text = fc.oneof(
      fc.constantFrom("'", '"', '`', '\\', "\\'", "'; DROP USER root; --", '/*', '-- ', '%', '_', 'ä', '\u{1f511}'),
      fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }),
    )
    const name = fc.array(text, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('').slice(0, 32))
    const oneOf = fc.constantFrom(...modes)
    let written = 0
    await fc.assert(
      fc.asyncProperty(name, name, oneOf, async (username, host, mode) => {
        const { refusals, configMap } = expanded(spec([{ name: 'app', username, host, require: 'TLS' }]))
        if (refusals.length > 0) return
        written += 1
        const accounts = (await parsed(configMap?.data['accounts.sql'] ?? '', mode)).filter(
          ({ kind }) => kind !== 'SET',
        )
        // The parser knows host names as lower case, as MySQL does.
        const expected = { user: username, host: host.toLowerCase() }
        expect(accounts).toEqual([{ kind: 'ALTER USER', accounts: [expected], require: [['SSL', '']] }])
      }),
      { numRuns: 300 },
    )
    expect(written).toBeGreaterThan(30)
  })

  it('would alter another account where a host begins with an at sign, which is why that is refused', async (context) => {
    if (program === undefined) return context.skip('there is no parser of TiDB')
    const [statement] = await parsed("ALTER USER 'app'@'@%' REQUIRE SSL;")
    expect(statement?.accounts).toEqual([{ user: 'app', host: '%' }])
    expect(expanded(spec([{ name: 'app', host: '@%' }])).refusals).toEqual([
      expect.objectContaining({ field: 'spec.clients[0].host' }),
    ])
  })

  it('compares with the subject and the issuer that certificates have', async (context) => {
    if (program === undefined) return context.skip('there is no parser of TiDB')
    const subject = distinguishedName({ commonName: "Orders' CA", organizations: ['Acme, Inc.'] })
    const { configMap } = expanded(spec([{ name: 'app', require: 'Issuer' }]), { authority: { ...authority, subject } })
    const [statement] = (await parsed(configMap?.data['accounts.sql'] ?? '')).slice(-1)
    expect(statement?.require).toEqual([['ISSUER', "/O=Acme, Inc./CN=Orders' CA"]])
  })
})
