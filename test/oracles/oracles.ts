/**
 * Other people's TLS: openssl, Go's standard library, Python's cryptography and Java judge a folder of files as a
 * database or a driver would. The folder is a Secret written out: tls.crt, tls.key, ca.crt, and any *.p12 and *.jks.
 */
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { must, run } from '../controlplane/harness/process.ts'
import { goProgram, here, missing, pythonInterpreter } from './tools.ts'

export interface OracleOptions {
  /** A DNS name the certificate must be valid for. Default: the first it has. */
  readonly dnsName?: string
  /** Of the keystores. */
  readonly password?: string
}

export type Verdict =
  | { readonly oracle: string; readonly skipped: string }
  | {
      readonly oracle: string
      readonly skipped?: undefined
      readonly problems: readonly string[]
      readonly report: unknown
    }

/** A tool that is not there is no failure, but nobody should believe that it has agreed. */
const skip = (oracle: string, reason: string): Verdict => {
  console.error(`SKIPPED: the ${oracle} oracle: ${reason}`)
  return { oracle, skipped: reason }
}

const problemsOf = (report: unknown): readonly string[] => (report as { problems: readonly string[] }).problems

export const verifyWithOpenssl = async (dir: string, options: OracleOptions = {}): Promise<Verdict> => {
  if (await missing('openssl', 'version')) return skip('openssl', 'there is no openssl on PATH')
  const at = (name: string): string => join(dir, name)
  const problems: string[] = []
  const expect = async (args: string[], stdin?: string): Promise<string> => {
    const output = await run('openssl', args, stdin === undefined ? {} : { stdin })
    if (output.code !== 0) problems.push(`openssl ${args[0]}: ${(output.stderr || output.stdout).trim()}`)
    return output.stdout
  }
  const host = options.dnsName === undefined ? [] : ['-verify_hostname', options.dnsName]
  const chain = ['-CAfile', at('ca.crt'), '-untrusted', at('tls.crt')]
  await expect(['verify', '-x509_strict', '-check_ss_sig', ...chain, ...host, at('tls.crt')])
  const certified = await expect(['x509', '-in', at('tls.crt'), '-noout', '-pubkey'])
  const held = await expect(['pkey', '-in', at('tls.key'), '-pubout'])
  await expect(['pkey', '-in', at('tls.key'), '-check', '-noout'])
  if (certified !== held) problems.push('tls.key is not the key of tls.crt')
  for (const store of readdirSync(dir).filter((name) => name.endsWith('.p12'))) {
    // LegacyDES stores are read by OpenSSL 3 as well: it has left RC2 behind, not 3DES.
    await expect(['pkcs12', '-in', at(store), '-passin', 'stdin', '-nodes', '-info'], `${options.password ?? ''}\n`)
  }
  return { oracle: 'openssl', problems, report: { certified } }
}

export const verifyWithGo = async (dir: string, options: OracleOptions = {}): Promise<Verdict> => {
  if (await missing('go', 'version')) return skip('Go', 'there is no go on PATH')
  const program = await goProgram('go')
  if (program === undefined) return skip('Go', 'test/oracles/go cannot be built')
  const name = options.dnsName === undefined ? [] : [options.dnsName]
  const { stdout } = await must(program, [dir, ...name])
  const report: unknown = JSON.parse(stdout)
  return { oracle: 'go', problems: problemsOf(report), report }
}

export const verifyWithPython = async (dir: string, options: OracleOptions = {}): Promise<Verdict> => {
  if (await missing('python3', '-c', 'import venv, ensurepip'))
    return skip('Python', 'there is no python3 with venv on PATH')
  const python = await pythonInterpreter()
  if (python === undefined) return skip('Python', 'pip cannot install test/oracles/python/requirements.txt')
  const name = options.dnsName === undefined ? [] : [options.dnsName]
  const { stdout } = await must(python, [join(here, 'python', 'verify.py'), dir, ...name], {
    stdin: options.password ?? '',
  })
  const report: unknown = JSON.parse(stdout)
  return { oracle: 'python', problems: problemsOf(report), report }
}

interface JavaStore {
  readonly file: string
  readonly error?: string
  readonly size?: number
  readonly entries?: readonly {
    readonly alias: string
    readonly kind: string
    readonly error?: string
    readonly fits?: boolean
  }[]
}

const javaProblems = (store: JavaStore): string[] => {
  if (store.error !== undefined) return [`${store.file}: ${store.error}`]
  if (!store.entries || store.entries.length === 0) return [`${store.file}: Java sees no entry`]
  return store.entries.flatMap((entry) => {
    if (entry.error !== undefined) return [`${store.file}, alias ${entry.alias}: ${entry.error}`]
    if (entry.kind === 'key' && entry.fits !== true)
      return [`${store.file}, alias ${entry.alias}: the key is not the certificate's`]
    return entry.kind === 'unreachable' ? [`${store.file}, alias ${entry.alias}: not to be reached`] : []
  })
}

/** Java's view of the stores alone: it reads no PEM. */
export const verifyWithJava = async (dir: string, options: OracleOptions = {}): Promise<Verdict> => {
  if (await missing('java', '-version')) return skip('Java', 'there is no java on PATH')
  const stores = readdirSync(dir).filter((name) => /\.(p12|jks)$/.test(name))
  if (stores.length === 0) return skip('Java', `no *.p12 or *.jks in ${dir}`)
  const folder = mkdtempSync(join(tmpdir(), 'dbtls-java-'))
  try {
    for (const name of stores) copyFileSync(join(dir, name), join(folder, name))
    const program = join(here, 'java', 'KeystoreOracle.java')
    const { stdout } = await must('java', [program, folder, options.password ?? ''])
    const report = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as JavaStore)
    const unseen = stores.filter((name) => !report.some(({ file }) => file === name))
    const problems = [...unseen.map((name) => `${name}: Java says nothing`), ...report.flatMap(javaProblems)]
    return { oracle: 'java', problems, report }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** All four, one after the other. */
export const verifyWithAll = async (dir: string, options: OracleOptions = {}): Promise<readonly Verdict[]> => {
  const verdicts: Verdict[] = []
  for (const verify of [verifyWithOpenssl, verifyWithGo, verifyWithPython, verifyWithJava]) {
    verdicts.push(await verify(dir, options))
  }
  return verdicts
}
