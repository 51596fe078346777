/**
 * Other people's TLS: openssl, Go's standard library, Python's cryptography and Java judge a folder of files as a
 * database or a driver would. The folder is a Secret written out: tls.crt, tls.key, ca.crt, and any *.p12 and *.jks.
 */
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { must, run } from '../controlplane/harness/process.ts'

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

const here = fileURLToPath(new URL('.', import.meta.url))

const cacheFolder = (): string => {
  const root = process.env['DBTLS_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'dbtls')
  const folder = join(root, 'oracles')
  mkdirSync(folder, { recursive: true })
  return folder
}

const missing = async (command: string, ...probe: string[]): Promise<boolean> =>
  run(command, probe).then(
    ({ code }) => code !== 0,
    () => true,
  )

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

const goOracle = async (): Promise<string> => {
  const source = join(here, 'go')
  const digest = createHash('sha256')
    .update(readFileSync(join(source, 'main.go')))
    .digest('hex')
    .slice(0, 16)
  const binary = join(cacheFolder(), `go-${digest}`)
  if (existsSync(binary)) return binary
  const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local' }
  const fresh = `${binary}.${process.pid}`
  await must('go', ['build', '-trimpath', '-o', fresh, '.'], { cwd: source, env })
  renameSync(fresh, binary)
  return binary
}

export const verifyWithGo = async (dir: string, options: OracleOptions = {}): Promise<Verdict> => {
  if (await missing('go', 'version')) return skip('Go', 'there is no go on PATH')
  const name = options.dnsName === undefined ? [] : [options.dnsName]
  const { stdout } = await must(await goOracle(), [dir, ...name])
  const report: unknown = JSON.parse(stdout)
  return { oracle: 'go', problems: problemsOf(report), report }
}

/** The interpreter of a virtual environment with the pinned packages, made on first use; undefined where pip cannot. */
const pythonInterpreter = async (): Promise<string | undefined> => {
  const requirements = join(here, 'python', 'requirements.txt')
  const { stdout } = await must('python3', ['-c', 'import sys; print(sys.implementation.cache_tag)'])
  const digest = createHash('sha256').update(stdout).update(readFileSync(requirements)).digest('hex').slice(0, 16)
  const folder = join(cacheFolder(), `python-${digest}`)
  const python = join(folder, 'bin', 'python')
  if (existsSync(join(folder, 'complete'))) return python
  console.error('making a Python environment for the oracle, once …')
  // Under a lock: two test files may come here at the same time.
  const make = `[ -d "$1/complete" ] || { rm -rf "$1" && python3 -m venv "$1" &&
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check -r "$2" && mkdir "$1/complete"; }`
  const { code } = await run('flock', [`${folder}.lock`, 'sh', '-c', make, 'sh', folder, requirements])
  if (code !== 0) return undefined
  return python
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
