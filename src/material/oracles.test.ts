/** What Java, keytool and OpenSSL make of our stores, and we of theirs. The expensive matrix of the room is here, once. */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Identity } from '../../test/oracles/certificates.ts'
import { makeIntermediate, makeLeaf, makeRoot } from '../../test/oracles/certificates.ts'
import { encodePrivateKey } from '../pki/keys/keys.ts'
import { encodePem } from '../pki/encoding/pem.ts'
import type { KeyAlgorithm } from '../pki/plan.ts'
import { trustAliases } from './aliases.ts'
import { encodeJks, readJks, writeJks } from './jks.ts'
import type { KeyEntry, TrustedEntry } from './keystore.ts'
import { encodePkcs12, writePkcs12 } from './pkcs12.ts'
import { readPkcs12 } from './pkcs12-reader.ts'

const password = 'changeit'
const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const oracle = fileURLToPath(new URL('../../test/oracles/java/KeystoreOracle.java', import.meta.url))

const missing = ['openssl', 'java', 'keytool'].filter((tool) => spawnSync(tool, ['--help']).error !== undefined)
if (missing.length > 0) console.warn(`keystores are not shown to ${missing.join(', ')}: not installed`)
const minutes = 180_000

interface Judged {
  readonly file: string
  readonly size: number
  readonly entries: readonly {
    readonly alias: string
    readonly kind: 'key' | 'trusted' | 'unreachable'
    readonly chain: number
    readonly algorithm?: string
    readonly fits?: boolean
    readonly error?: string
  }[]
  readonly anchors: number
  readonly error?: string
}

const algorithms: ReadonlyMap<string, { key: KeyAlgorithm; inJava: string }> = new Map([
  ['RSA-2048', { key: { algorithm: 'RSA', size: 2048 }, inJava: 'RSA' }],
  ['P-256', { key: { algorithm: 'ECDSA', size: 256 }, inJava: 'EC' }],
  ['P-384', { key: { algorithm: 'ECDSA', size: 384 }, inJava: 'EC' }],
  ['P-521', { key: { algorithm: 'ECDSA', size: 521 }, inJava: 'EC' }],
  ['Ed25519', { key: { algorithm: 'Ed25519' }, inJava: 'EdDSA' }],
])
const formats = ['Modern2023', 'LegacyDES', 'JKS'] as const
const contents = ['keystore', 'one CA', 'two CAs', 'two CAs of one name'] as const
type Format = (typeof formats)[number]
type Contents = (typeof contents)[number]
const matrix = formats.flatMap((format) =>
  [...algorithms.keys()].flatMap((algorithm) => contents.map((held) => [format, algorithm, held] as const)),
)

const fileOf = (format: Format, algorithm: string, held: Contents): string =>
  `${format}-${algorithm}-${held.replaceAll(' ', '_')}.${format === 'JKS' ? 'jks' : 'p12'}`

interface World {
  readonly roots: readonly Identity[]
  readonly namesake: Identity
  readonly intermediate: Identity
  readonly leaf: Identity
}

const makeWorld = async (algorithm: KeyAlgorithm): Promise<World> => {
  const [root, other, namesake] = await Promise.all(
    ['Orders CA', 'Other CA', 'Orders CA'].map((name) => makeRoot(name, algorithm)),
  )
  if (!root || !other || !namesake) throw new Error('three roots were made')
  const intermediate = await makeIntermediate('Orders issuing CA', root, algorithm)
  return { roots: [root, other], namesake, intermediate, leaf: await makeLeaf('orders', intermediate, algorithm) }
}

const keyOf = ({ leaf, intermediate }: World): KeyEntry => ({
  alias: 'user',
  pkcs8: leaf.key.pkcs8,
  chain: [leaf.certificate, intermediate.certificate],
})

const trustOf = ({ roots, namesake }: World, held: Contents): TrustedEntry[] => {
  const [first, second] = roots.map(({ certificate }) => certificate) as [Uint8Array, Uint8Array]
  const trust = held === 'one CA' ? [first] : held === 'two CAs' ? [first, second] : [first, namesake.certificate]
  const aliases = trustAliases('MySQLCACert', trust, first)
  return trust.map((certificate, index) => ({ alias: aliases[index] ?? '', certificate }))
}

const store = async (world: World, format: Format, held: Contents): Promise<Uint8Array> => {
  const entries = held === 'keystore' ? { key: keyOf(world) } : { trusted: trustOf(world, held) }
  return format === 'JKS'
    ? writeJks({ ...entries, password, random })
    : writePkcs12({ ...entries, password, random, profile: format })
}

/** A JKS store whose body someone changed and closed again with the right check value. */
const resealed = (bytes: Uint8Array, change: (body: Buffer) => void): Buffer => {
  const body = Buffer.from(bytes.subarray(0, -20))
  change(body)
  const secret = Buffer.from(password, 'utf16le').swap16()
  return Buffer.concat([body, createHash('sha1').update(secret).update('Mighty Aphrodite').update(body).digest()])
}

describe.skipIf(missing.length > 0)('keystores before other readers', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dbtls-keystores-'))
  const scratch = mkdtempSync(join(tmpdir(), 'dbtls-keystores-made-by-others-'))
  const worlds = new Map<string, World>()
  let judged: ReadonlyMap<string, Judged>

  const run = (command: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: scratch })
    return { status, text: `${stdout}${stderr}` }
  }
  const made = (command: string, ...args: string[]): string => {
    const { status, text } = run(command, ...args)
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${text}`)
    return text
  }
  const world = (algorithm: string): World => {
    const found = worlds.get(algorithm)
    if (!found) throw new Error(`no certificates for ${algorithm}`)
    return found
  }
  const judgement = (file: string): Judged => {
    const found = judged.get(file)
    if (!found) throw new Error(`Java did not see ${file}`)
    return found
  }

  beforeAll(async () => {
    for (const [name, { key }] of algorithms) worlds.set(name, await makeWorld(key))
    for (const [format, algorithm, held] of matrix)
      writeFileSync(join(directory, fileOf(format, algorithm, held)), await store(world(algorithm), format, held))
    for (const [file, bytes] of await refusedStores(world('P-256'))) writeFileSync(join(directory, file), bytes)

    const { leaf, intermediate } = world('P-256')
    writeFileSync(join(scratch, 'key.pem'), encodePem('PRIVATE KEY', leaf.key.pkcs8))
    const chain = [leaf, intermediate].map(({ certificate }) => encodePem('CERTIFICATE', certificate))
    writeFileSync(join(scratch, 'chain.pem'), chain.join(''))
    writeFileSync(join(scratch, 'ca.pem'), chain[1] ?? '')
    const withKey = ['-in', 'chain.pem', '-inkey', 'key.pem', '-name', 'user', '-passout', `pass:${password}`]
    const out = (file: string): string[] => ['-out', join(directory, file)]
    made('openssl', 'pkcs12', '-export', ...withKey, ...out('openssl.p12'))
    made('openssl', 'pkcs12', '-export', ...withKey, '-keypbe', 'NONE', ...out('openssl-keybag.p12'))
    const trust = ['-nokeys', '-in', 'ca.pem', '-passout', `pass:${password}`]
    made('openssl', 'pkcs12', '-export', ...trust, ...out('openssl-truststore.p12'))

    const lines = made('java', oracle, directory, password).trim().split('\n')
    judged = new Map(lines.map((line) => JSON.parse(line) as Judged).map((found) => [found.file, found]))
  }, minutes)

  afterAll(() => {
    rmSync(directory, { recursive: true })
    rmSync(scratch, { recursive: true })
  })

  test.each(matrix)('Java opens %s of %s: %s', (format, algorithm, held) => {
    const { error, size, entries, anchors } = judgement(fileOf(format, algorithm, held))
    expect(error).toBeUndefined()
    if (held === 'keystore') {
      const inJava = algorithms.get(algorithm)?.inJava
      const entry = { alias: 'user', kind: 'key', chain: 2, algorithm: inJava, fits: true }
      expect({ size, entries }).toEqual({ size: 1, entries: [entry] })
      return
    }
    const aliases = trustOf(world(algorithm), held).map(({ alias }) => alias.toLowerCase())
    expect(size).toBe(aliases.length)
    expect(anchors).toBe(aliases.length)
    expect(entries).toEqual(aliases.toSorted().map((alias) => ({ alias, kind: 'trusted', chain: 0 })))
  })

  test.each(matrix.filter(([format]) => format !== 'JKS'))('OpenSSL opens %s of %s: %s', (format, algorithm, held) => {
    const file = join(directory, fileOf(format, algorithm, held))
    const text = made('openssl', 'pkcs12', '-in', file, '-passin', `pass:${password}`, '-nodes', '-info')
    const certificates = held === 'keystore' ? 2 : trustOf(world(algorithm), held).length
    expect(text.match(/BEGIN CERTIFICATE/g)).toHaveLength(certificates)
    expect(text.match(/BEGIN PRIVATE KEY/g) ?? []).toHaveLength(held === 'keystore' ? 1 : 0)
    // Key and leaf name each other; with more than one key in a store nothing else would.
    expect(text.match(/localKeyID: /g) ?? []).toHaveLength(held === 'keystore' ? 2 : 0)
    const scheme =
      format === 'Modern2023' ? 'PBES2, PBKDF2, AES-256-CBC, Iteration 10000' : 'pbeWithSHA1And3-KeyTripleDES-CBC'
    expect(text).toContain(scheme)
    expect(text).toContain(format === 'Modern2023' ? 'MAC: sha256, Iteration 10000' : 'MAC: sha1, Iteration 2048')
  })

  test.each(['JKS', 'Modern2023', 'LegacyDES'] as const)(
    'keytool turns %s into another store with the same key',
    async (format) => {
      const from = join(directory, fileOf(format, 'P-521', 'keystore'))
      const type = format === 'JKS' ? 'PKCS12' : 'JKS'
      const target = join(scratch, `from-${format}`)
      const passwords = ['-srcstorepass', password, '-deststorepass', password]
      made(
        'keytool',
        '-importkeystore',
        '-noprompt',
        '-srckeystore',
        from,
        '-destkeystore',
        target,
        '-deststoretype',
        type,
        ...passwords,
      )
      const bytes = readFileSync(target)
      const { keys } = type === 'JKS' ? readJks(bytes, password) : await readPkcs12(bytes, password)
      const { alias, pkcs8, chain } = keyOf(world('P-521'))
      expect(keys.map((key) => key.alias)).toEqual([alias])
      expect(keys[0]?.chain.map((der) => Buffer.from(der))).toEqual(chain.map((der) => Buffer.from(der)))
      expect(Buffer.compare(keys[0]?.pkcs8 ?? new Uint8Array(), pkcs8)).toBe(0)
    },
    minutes,
  )

  test('stores made by OpenSSL are read', async () => {
    const { keys } = await readPkcs12(readFileSync(join(directory, 'openssl.p12')), password)
    const { pkcs8, chain } = keyOf(world('P-256'))
    expect(keys.map(({ alias }) => alias)).toEqual(['user'])
    expect(Buffer.compare(keys[0]?.pkcs8 ?? new Uint8Array(), pkcs8)).toBe(0)
    expect(keys[0]?.chain).toHaveLength(chain.length)
  })

  test(
    "keytool's truststores are read",
    async () => {
      const into = ['-importcert', '-noprompt', '-file', 'ca.pem', '-alias', 'Ca', '-storepass', password]
      made('keytool', ...into, '-keystore', 'trust.p12')
      made('keytool', ...into, '-keystore', 'trust.jks', '-storetype', 'JKS')
      const pkcs12 = await readPkcs12(readFileSync(join(scratch, 'trust.p12')), password)
      const jks = readJks(readFileSync(join(scratch, 'trust.jks')), password)
      // Java keeps the case in PKCS#12 and folds it when it looks an entry up.
      expect([...pkcs12.trusted, ...jks.trusted].map(({ alias }) => alias)).toEqual(['Ca', 'ca'])
      for (const { certificate } of [...pkcs12.trusted, ...jks.trusted])
        expect(Buffer.compare(certificate, world('P-256').intermediate.certificate)).toBe(0)
    },
    minutes,
  )

  describe('what the writers refuse, because Java', () => {
    test('loses one of two entries of one alias', () => {
      expect(judgement('same-alias.p12')).toMatchObject({ size: 1, anchors: 1 })
    })
    test('cannot use a SEC1 key in JKS', () => {
      expect(judgement('sec1.jks').entries).toMatchObject([
        { kind: 'key', error: expect.stringMatching(/corrupt/i) as string },
      ])
    })
    test('cannot reach an entry whose alias has capitals in JKS', () => {
      expect(judgement('capitals.jks').entries).toMatchObject([{ alias: 'USER', kind: 'unreachable' }])
    })
    test('cannot recover a key under another password than the store', () => {
      expect(judgement('key-password.jks').entries).toMatchObject([{ error: 'Cannot recover key' }])
    })
  })

  describe('stores in which Java sees nothing hold nothing for us either:', () => {
    test.each([
      ['trusted certificates without the attribute of Java', 'openssl-truststore.p12'],
      ['a key that is not encrypted', 'openssl-keybag.p12'],
    ])('%s', async (_, file) => {
      expect(judgement(file)).toMatchObject({ size: 0 })
      expect(await readPkcs12(readFileSync(join(directory, file)), password)).toEqual({ keys: [], trusted: [] })
    })
  })

  test('RC2, which OpenSSL 3 does not read, is refused by name', async ({ skip }) => {
    const rc2 = ['-legacy', '-certpbe', 'PBE-SHA1-RC2-40', '-passout', `pass:${password}`]
    const { status } = run(
      'openssl',
      'pkcs12',
      '-export',
      ...rc2,
      '-in',
      'chain.pem',
      '-inkey',
      'key.pem',
      '-out',
      'rc2.p12',
    )
    if (status !== 0) skip('this OpenSSL has no legacy provider')
    const opened = run('openssl', 'pkcs12', '-in', 'rc2.p12', '-passin', `pass:${password}`, '-nodes')
    expect(opened.text).toContain('RC2-40-CBC')
    expect(opened.status).not.toBe(0)
    await expect(readPkcs12(readFileSync(join(scratch, 'rc2.p12')), password)).rejects.toThrow(
      /1\.2\.840\.113549\.1\.12\.1\.6/,
    )
  })
})

const refusedStores = async (world: World): Promise<[string, Uint8Array][]> => {
  const key = keyOf(world)
  const trusted = trustOf(world, 'two CAs').map(({ certificate }) => ({ alias: 'ca', certificate }))
  const sec1 = encodePrivateKey(key.pkcs8, 'SEC1').der
  const otherPassword = encodeJks({ key, password: 'another-one', random })
  const usual = encodeJks({ key, password, random })
  return [
    ['same-alias.p12', await encodePkcs12({ trusted, password, random, profile: 'Modern2023' })],
    ['sec1.jks', encodeJks({ key: { ...key, pkcs8: sec1 }, password, random })],
    ['key-password.jks', resealed(otherPassword, () => undefined)],
    ['capitals.jks', resealed(usual, (body) => body.write('USER', body.indexOf('user'), 'latin1'))],
  ]
}
