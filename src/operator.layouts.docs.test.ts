/** docs/layouts.md: its table is what the layouts say, and each of its manifests makes a Secret that openssl and keytool read. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { layoutSecret, secretsOfPreset, shapedItems } from './database/layouts/shape.ts'
import type { OutputItem } from './material/contents.ts'
import type { Secret } from './resources/core.ts'
import type { DatabaseCertificate } from './resources/database-certificate.ts'
import { presets } from './resources/layout-names.ts'
import { ManualClock } from './runtime/manual-clock.ts'
import { authority, getSecret, newCluster, put, ready, start, until } from './testing.ts'

const page = readFileSync(fileURLToPath(new URL('../docs/layouts.md', import.meta.url)), 'utf8')
const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)]
  .flatMap(([, text = '']) => parseAllDocuments(text))
  .map((document) => document.toJS() as DatabaseCertificate)
const tools = ['openssl', 'keytool'].every((tool) => spawnSync(tool, ['-help']).error === undefined)
if (!tools) console.warn('SKIPPED: openssl or keytool is not on the PATH: nobody else has judged the layouts')

const rowsOf = (title: string): string[][] => {
  const [, section = ''] = new RegExp(`## ${title}\\n([\\s\\S]*?)\\n## `).exec(page) ?? []
  return section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

const described = presets.flatMap((preset) =>
  [...secretsOfPreset(preset)].map(([name, secret]) => [
    `${preset}/${name}`,
    secret.secretName.replaceAll(/\{(\w+)\}/g, (_whole, word: string) => word.toUpperCase()),
    secret.items
      .map(({ key, content, encoding }) => `\`${key}\` ${content}${encoding === undefined ? '' : ` (${encoding})`}`)
      .join(', '),
    [
      secret.type,
      ...Object.keys(secret.labels ?? {}).map((label) => `label \`${label}\``),
      ...(secret.commonName === undefined ? [] : [`CN \`${secret.commonName}\``]),
      ...Object.entries(secret.counters ?? {}).map(
        ([annotation, key]) => `annotation \`${annotation}\` counts changes of \`${key}\``,
      ),
      ...(secret.fixedName === true ? ['fixed name'] : []),
    ].join(', '),
  ]),
)

describe('the page of layouts', () => {
  it('has a row for every Secret, as the layouts have it', () => {
    expect(rowsOf('The Secrets')).toEqual(described)
  })

  it('says of every preset how it is used, and shows it', () => {
    expect(rowsOf('Using them').map(([preset]) => preset)).toEqual(presets)
    const shown = new Set(examples.map(({ spec }) => spec.secret.layout?.split('/')[0]))
    expect(presets.filter((preset) => !shown.has(preset))).toEqual([])
  })

  it.each(examples.map((example) => ({ example, layout: example.spec.secret.layout ?? '' })))(
    'gives $layout the common name that its reader wants',
    ({ example: { spec }, layout }) => {
      const wanted = layoutSecret(layout, spec.role)?.secret.commonName
      expect(wanted === undefined || spec.subject?.commonName === wanted).toBe(true)
    },
  )
})

const firstLines: Readonly<Record<string, string>> = {
  'PKCS8 RSA': 'PRIVATE KEY',
  'PKCS8 ECDSA': 'PRIVATE KEY',
  'PKCS1 RSA': 'RSA PRIVATE KEY',
  'SEC1 ECDSA': 'EC PRIVATE KEY',
  'Traditional RSA': 'RSA PRIVATE KEY',
  'Traditional ECDSA': 'EC PRIVATE KEY',
}

describe.runIf(tools)('an example of the page', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-layouts-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' })

  const keyIn = (path: string, item: OutputItem, algorithm: string): string => {
    const [block = ''] = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.exec(readFileSync(path, 'utf8')) ?? []
    expect(block).toBe(`-----BEGIN ${firstLines[`${item.encoding ?? 'PKCS8'} ${algorithm}`]}-----`)
    return openssl('pkey', '-in', path, '-pubout')
  }

  const readStore = (path: string, item: OutputItem, password: string): void => {
    const type = item.content.startsWith('PKCS12') ? 'PKCS12' : 'JKS'
    const listed = execFileSync(
      'keytool',
      ['-J-Duser.language=en', '-list', '-keystore', path, '-storetype', type, '-storepass', password],
      { encoding: 'utf8', stdio: 'pipe' },
    )
    expect(listed).toContain(item.content.endsWith('Keystore') ? 'PrivateKeyEntry' : 'trustedCertEntry')
    if (item.alias !== undefined) expect(listed).toContain(item.alias.toLowerCase())
  }

  const judge = ({ spec }: DatabaseCertificate, secret: Secret, now: number): void => {
    const items = shapedItems(spec)
    for (const { key } of items) writeFileSync(file(key), Buffer.from(secret.data?.[key] ?? '', 'base64'))
    const at = (...contents: string[]): OutputItem | undefined =>
      items.find(({ content }) => contents.includes(content))
    const [chain, key, trust] = [
      at('CertificateChain', 'ChainThenKey'),
      at('PrivateKey', 'ChainThenKey'),
      at('TrustBundle'),
    ]
    if (chain !== undefined && key !== undefined) {
      const held = keyIn(file(key.key), key, spec.privateKey?.algorithm ?? 'ECDSA')
      expect(openssl('x509', '-in', file(chain.key), '-noout', '-pubkey')).toBe(held)
    }
    if (chain !== undefined && trust !== undefined)
      expect(
        openssl(
          'verify',
          '-x509_strict',
          '-attime',
          String(Math.ceil(now / 1000)),
          '-CAfile',
          file(trust.key),
          file(chain.key),
        ),
      ).toContain('OK')
    const exported = at('AuthorityPrivateKey')
    if (exported !== undefined)
      expect(keyIn(file(exported.key), exported, 'ECDSA')).toBe(
        openssl('x509', '-in', file('root.pem'), '-noout', '-pubkey'),
      )
    const password = at('Password')
    for (const item of items.filter(({ content }) => content.endsWith('store')))
      readStore(file(item.key), item, readFileSync(file(password?.key ?? ''), 'utf8'))
  }

  it('has exactly the keys, type and labels of its layout, and everybody can read them', async () => {
    const clock = new ManualClock()
    const cluster = newCluster(clock)
    await start(cluster, clock)
    await put(cluster, authority({ allowKeyExport: true }, 'orders-ca'))
    const root = await until('the CA', () => getSecret(cluster, 'orders-ca-ca').catch(() => undefined))
    writeFileSync(file('root.pem'), Buffer.from(root.data?.['tls.crt'] ?? '', 'base64'))
    for (const example of examples) {
      const { name } = example.metadata
      await put(cluster, example)
      await ready(cluster, name)
      const secret = await getSecret(cluster, example.spec.secret.name)
      const layout = layoutSecret(example.spec.secret.layout ?? '', example.spec.role)
      expect({ name, keys: Object.keys(secret.data ?? {}).toSorted() }).toEqual({
        name,
        keys: layout?.secret.items.map(({ key }) => key).toSorted(),
      })
      expect(secret.type).toBe(layout?.secret.type)
      for (const [label, value] of Object.entries(layout?.secret.labels ?? {}))
        expect(secret.metadata.labels?.[label]).toBe(value.replace('{cluster}', 'my-cluster'))
      judge(example, secret, clock.now())
    }
    // A name that two examples share would have hidden one of them.
    expect(new Set(examples.map(({ spec }) => spec.secret.name)).size).toBe(examples.length)
  }, 240_000)
})
